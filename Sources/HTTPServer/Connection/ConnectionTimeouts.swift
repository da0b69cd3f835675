internal import CLinux
internal import System

/// The timeouts of the phases of a connection, and the time at which the server must check them next.
///
/// All durations are held in nanoseconds. To divide a `Duration`, as its conversion to nanoseconds does, costs more
/// than all other work here for a request.
struct ConnectionTimeouts {
    /// The shortest time between two checks.
    ///
    /// Deadlines that follow each other closely are handled together.
    private static let minimumInterval: UInt64 = 20_000_000

    /// The timeouts in nanoseconds.
    ///
    /// 0 means no limit.
    private let head, body, idle, sending, draining: UInt64
    private let minimumBodyBytesPerSecond: Int
    /// The earliest time at which a connection may have exceeded a timeout.
    private(set) var nextCheck: MonotonicTime?

    init(configuration: HTTPServerConfiguration) {
        head = configuration.headTimeout.wholeNanoseconds
        body = configuration.bodyTimeout.wholeNanoseconds
        idle = configuration.idleTimeout.wholeNanoseconds
        sending = configuration.sendTimeout.wholeNanoseconds
        draining = LingeringSockets.timeout.wholeNanoseconds
        minimumBodyBytesPerSecond = configuration.minimumBodyBytesPerSecond
    }

    /// Schedules a check of a connection that has entered another phase.
    mutating func scheduleCheck(of connection: Connection, now: MonotonicTime) {
        if let time = nextCheck(of: connection, now: now) { scheduleCheck(at: time, now: now) }
    }

    /// Schedules a check at `time`, or soon after it.
    mutating func scheduleCheck(at time: MonotonicTime, now: MonotonicTime) {
        let time = max(time, now + Self.minimumInterval)
        if nextCheck.map({ time < $0 }) ?? true { nextCheck = time }
    }

    /// Clears the scheduled check, before the server checks all connections.
    mutating func beginCheck() { nextCheck = nil }

    /// Returns whether a connection has exceeded its timeout, and schedules its next check if it has not.
    mutating func hasExpired(_ connection: Connection, now: MonotonicTime) -> Bool {
        update(connection, now: now)
        if let deadline = deadline(of: connection), deadline <= now { return true }
        scheduleCheck(of: connection, now: now)
        return false
    }

    /// Returns the time at which a connection exceeds its timeout, or nil if it has none.
    private func deadline(of connection: Connection) -> MonotonicTime? {
        let timeout: UInt64
        switch connection.phase {
        case .handling: return nil
        case .draining: timeout = draining
        case .head: timeout = head
        case .idle: timeout = idle
        case .sending: timeout = sending
        case .body: return body > 0 ? connection.bodyDeadline : nil
        }
        return timeout > 0 ? connection.phaseStart + timeout : nil
    }

    // MARK: Bodies

    /// Starts the time of a body whose head has been accepted.
    func begin(bodyOf connection: Connection, now: MonotonicTime) {
        connection.bodyDeadline = now + body
    }

    /// Extends the time of a body by the time that its new bytes take at the minimum rate.
    ///
    /// The client never has more than the timeout of a body left. So a fast beginning does not pay for a later stall,
    /// and the minimum rate holds over every period of that length.
    func extend(bodyOf connection: Connection, by count: Int, now: MonotonicTime) {
        guard minimumBodyBytesPerSecond > 0 else { return }
        // The bytes of one piece, a few MiB at most, do not overflow.
        let time = UInt64(count) * 1_000_000_000 / UInt64(minimumBodyBytesPerSecond)
        connection.bodyDeadline = min(connection.bodyDeadline + time, now + body)
    }

    /// Returns the time of the next check of a connection, or nil for none.
    ///
    /// Only a check shows the progress of a response and the first byte on an idle connection.
    private func nextCheck(of connection: Connection, now: MonotonicTime) -> MonotonicTime? {
        let deadline = deadline(of: connection)
        switch connection.phase {
        case .sending: return deadline.map { min($0, now + sending / 2) }
        case .idle where head > 0:
            let check = now + head / 2
            return deadline.map { min($0, check) } ?? check
        case .idle, .head, .body, .draining, .handling: return deadline
        }
    }

    /// Updates the phase of a connection after changes that MHD does not report.
    private func update(_ connection: Connection, now: MonotonicTime) {
        guard connection.phase == .idle || connection.phase == .sending else { return }
        var progress = sandglass_tcp_progress()
        guard sandglass_tcp_progress(connection.socket, &progress) == 0 else { return }
        if connection.phase == .idle {
            // Bytes that arrived after the last response begin another request. The kernel's clock is coarse: a margin
            // of ten milliseconds keeps the last request's own bytes from counting.
            let last = now - UInt64(progress.milliseconds_since_data) * 1_000_000
            if last > connection.phaseStart + 10_000_000 { connection.enter(.head, at: last) }
        } else {
            connection.streamIsDrained = connection.streamIsIdle && progress.waiting == 0
            // A client that has taken all sent bytes is not slow.
            guard progress.acknowledged != connection.acknowledgedBytes || connection.streamIsDrained else { return }
            connection.acknowledgedBytes = progress.acknowledged
            connection.enter(.sending, at: now)
        }
    }
}

extension MonotonicTime {
    /// Returns the time `nanoseconds` later, or the last representable time.
    static func + (time: MonotonicTime, nanoseconds: UInt64) -> MonotonicTime {
        let (sum, overflow) = time.nanoseconds.addingReportingOverflow(nanoseconds)
        return MonotonicTime(nanoseconds: overflow ? .max : sum)
    }

    /// Returns the time `nanoseconds` earlier, or the clock's origin.
    static func - (time: MonotonicTime, nanoseconds: UInt64) -> MonotonicTime {
        MonotonicTime(nanoseconds: time.nanoseconds - min(time.nanoseconds, nanoseconds))
    }
}
