import Reactor
import Sandbox
import TestSupport
import Testing

/// The reports of a slot, for a test to wait for.
@ReactorActor
final class ReportLog {
    private var reports: [SlotReport] = []
    private var waiter: CheckedContinuation<Void, Never>?
    private var taken = 0

    init(_ slot: Slot) {
        slot.onReport = { report in
            self.reports.append(report)
            self.waiter?.resume()
            self.waiter = nil
        }
    }

    /// Waits for the next report.
    func next() async -> SlotReport {
        while taken == reports.count {
            await withCheckedContinuation { waiter = $0 }
        }
        taken += 1
        return reports[taken - 1]
    }

    /// Waits for the final report and returns its exit record, or `nil` for a report without one.
    func end() async -> ExitRecord? {
        while true {
            switch await next() {
            case .started: continue
            case .ended(let record): return record
            case .failed, .outOfMemory, .vanished: return nil
            }
        }
    }

    /// The number of reports so far.
    var count: Int { reports.count }
}

extension SlotReport {
    var isStarted: Bool {
        if case .started = self { true } else { false }
    }
}

extension SlotCommand {
    static func make(
        _ arguments: String...,
        workingDirectory: String = "/box",
        processes: Int = 1024,
        keepsFiles: Bool = false
    ) -> SlotCommand {
        make(
            words: arguments,
            workingDirectory: workingDirectory,
            processes: processes,
            keepsFiles: keepsFiles
        )
    }

    static func make(
        words arguments: [String],
        workingDirectory: String = "/box",
        processes: Int = 1024,
        keepsFiles: Bool = false
    ) -> SlotCommand {
        SlotCommand(
            arguments: arguments,
            environment: ["PATH": "/usr/bin:/bin", "A": "a b"],
            workingDirectory: workingDirectory,
            openFiles: 64,
            processes: processes,
            memoryBytes: 512 << 20,
            cpu: .seconds(60),
            diskBytes: 16 << 20,
            keepsFiles: keepsFiles
        )
    }
}

extension Slot {
    /// Starts a command without input, whose output is not read.
    func start(_ command: SlotCommand) throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        try start(command, streams: [pipe.reading, pipe.writing, pipe.writing])
    }

    /// Starts a command whose output goes to a pipe, and closes the test's own write end of it.
    func start(_ command: SlotCommand, into pipe: TestPipe) throws {
        try start(command, streams: [pipe.reading, pipe.writing, pipe.writing])
        pipe.closeWriteEnd()
    }
}

extension Trait where Self == ConditionTrait {
    /// A condition that skips tests where an ordinary user may not create user namespaces.
    static var needsSandbox: ConditionTrait {
        .enabled("this host does not let this user create user namespaces") { await sandboxIsAvailable() }
    }
}
