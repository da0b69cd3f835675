internal import CLinux
internal import Glibc
package import Reactor
internal import System

/// The server's client of the launcher process, which provides slots and notices when they have exited.
@ReactorActor
package final class Launcher {
    private enum PendingRequest {
        case spawn(Slot)
        case kill(slot: UInt32)
    }

    /// The delay before spare slots are replaced while some are left.
    ///
    /// A client that has just received its response may be about to submit the next run. The delay lets that run start
    /// first.
    private static let refillDelay = Duration.milliseconds(2)

    private let pid: pid_t
    private var socket: Descriptor?
    private var watch: Watch?
    private var pendingRequests: [PendingRequest] = []
    private var freeNumbers: [UInt32]
    private var waitingSlots: [Slot] = []
    private var slotsByNumber: [UInt32: Slot] = [:]
    private var spareSlots: [Slot] = []
    private let spareCount: Int
    /// The kind of the spare slots.
    let defaultKind: SlotKind
    private let images: [String]
    private let cgroups: CgroupTree?
    private var refillTimer: Timer?

    /// The limits and protections that every slot has on this host.
    package let support: SandboxSupport

    /// Called when the launcher has exited without a call of ``stop()``.
    ///
    /// All its slots have vanished by then, and it creates no more.
    package var onLoss: (@ReactorActor () -> Void)?

    /// Takes over a launcher process.
    ///
    /// - Parameters:
    ///   - process: a launcher that is ready.
    ///   - spares: the number of slots that ``refill()`` prepares ahead of need. Each is used once, like any other.
    /// - Throws: a failure of the step `launcher` when the launcher's socket cannot be watched.
    package init(_ process: consuming LauncherProcess, spares: Int = 0) throws(SetupFailure) {
        spareCount = spares
        pid = process.pid
        defaultKind = SlotKind(scratchBytes: process.scratchBytes)
        images = process.images
        cgroups = process.cgroups
        support = process.support
        freeNumbers = (0..<UInt32(process.slots)).reversed()
        let descriptor = process.takeSocket()
        let raw = descriptor.raw
        socket = .some(descriptor)
        do {
            watch = try ReactorActor.watch(raw, for: .readable) { [weak self] interest in self?.handle(interest) }
        } catch {
            throw SetupFailure(step: .launcher, error: error)
        }
    }

    /// A Boolean value that indicates whether the launcher still creates slots.
    package var isRunning: Bool { socket != nil }

    /// The number of slots that exist, including those that are being torn down.
    package var liveSlots: Int { slotsByNumber.count }

    /// The number of spare slots, including those that are still being set up.
    package var readySlots: Int { spareSlots.count }

    /// Returns a slot that has run nothing: a spare, or a new one whose set-up begins now.
    ///
    /// The caller may start a command in it at once.
    ///
    /// - Parameters:
    ///   - scratchBytes: the size of the slot's writable file system in bytes; `nil` for the size of the spares.
    ///   - image: the name of the image that the slot shows. The default is the host's view, which the spares show too.
    ///   - sharesNetwork: whether the slot uses the host's network, if the policy allows that.
    ///   - cpus: the number of processors that the slot may use at once; `nil` for no limit. Without a control group the
    ///     limit has no effect.
    /// - Returns: a slot.
    /// - Throws: a failure when the launcher has exited, has no such image, or this process has no descriptor left.
    package func makeSlot(
        scratchBytes: Int? = nil,
        image: String = SandboxImage.hostName,
        sharesNetwork: Bool = false,
        cpus: Double? = nil
    ) throws(SetupFailure) -> Slot {
        guard isRunning else { throw SetupFailure(step: .launcher, number: EPIPE) }
        var kind = SlotKind(scratchBytes: scratchBytes ?? defaultKind.scratchBytes, sharesNetwork: sharesNetwork)
        // The kernel accepts quotas from 1 ms to many times the processors of any host.
        if let cpus { kind.cpuQuota = Int(min(max(cpus * 100_000, 1000), 1e10).rounded()) }
        if image != SandboxImage.hostName {
            guard let index = images.firstIndex(of: image) else { throw SetupFailure(step: .image, number: ENOENT) }
            kind.image = index + 1
        }
        if !spareSlots.isEmpty, kind == defaultKind {
            let slot = spareSlots.removeFirst()
            slot.onReport = nil
            return slot
        }
        return try spawnSlot(kind)
    }

    /// Replaces the spare slots that have been used.
    ///
    /// Creating a slot costs more than most commands. Call this method when no client is waiting.
    package func refill() {
        guard !spareSlots.isEmpty else { return refillNow() }
        guard refillTimer == nil else { return }
        refillTimer = ReactorActor.schedule(at: .now.advanced(by: Self.refillDelay)) { [weak self] in
            self?.refillTimer = nil
            self?.refillNow()
        }
    }

    private func refillNow() {
        while isRunning, spareSlots.count < spareCount, !freeNumbers.isEmpty {
            // The next run that needs a slot gets the same error and reports it.
            guard let slot = try? spawnSlot(defaultKind) else { return }
            spareSlots.append(slot)
            slot.onReport = { [weak self, weak slot] _ in self?.spareSlots.removeAll { $0 === slot } }
        }
    }

    /// Creates a slot of the given kind, never one of the spares.
    func spawnSlot(_ kind: SlotKind) throws(SetupFailure) -> Slot {
        let slot: Slot
        do {
            slot = try Slot(launcher: self, kind: kind)
        } catch {
            throw SetupFailure(step: .slot, error: error)
        }
        waitingSlots.append(slot)
        spawnWaitingSlots()
        return slot
    }

    /// Ends the launcher and every slot, and returns when their processes are gone.
    package func stop() {
        guard isRunning else { return }
        tearDown()
    }

    /// Kills a slot from outside when it does not respond.
    ///
    /// All processes in the slot die with it.
    func kill(_ slot: Slot) {
        if let number = slot.number {
            // Once the slot is gone, another slot may have its number.
            if slotsByNumber[number] === slot { post(.kill(slot: number)) }
        } else {
            waitingSlots.removeAll { $0 === slot }
            slot.handleExit()
        }
    }

    // MARK: Requests

    private func spawnWaitingSlots() {
        while !waitingSlots.isEmpty, let number = freeNumbers.popLast() {
            let slot = waitingSlots.removeFirst()
            slot.number = number
            slotsByNumber[number] = slot
            post(.spawn(slot))
        }
    }

    private func post(_ request: PendingRequest) {
        pendingRequests.append(request)
        flush()
    }

    /// Sends as many requests as the socket accepts, and the rest when it is writable again.
    private func flush() {
        guard let raw = socket?.raw else { return }
        while let request = pendingRequests.first {
            do throws(SystemError) {
                switch request {
                case .spawn(let slot): try slot.sendSpawn(to: raw)
                case .kill(let slot): try LauncherWire.sendKill(slot: slot, to: raw)
                }
            } catch {
                // ETOOMANYREFS: more descriptors are in flight than this user may have open (unix(7)).
                if error.number == EAGAIN || error.number == ETOOMANYREFS {
                    watch?.change(to: [.readable, .writable])
                } else {
                    // A caller of makeSlot() must be able to set its onReport before the slot's final report.
                    _ = ReactorActor.schedule(at: .now) { [weak self] in self?.handleLoss() }
                }
                return
            }
            pendingRequests.removeFirst()
        }
        watch?.change(to: .readable)
    }

    // MARK: Reports

    private func handle(_ interest: Interest) {
        if interest.contains(.writable) { flush() }
        while let raw = socket?.raw {
            switch LauncherWire.readLauncherReport(from: raw) {
            case .report(.gone(let number, let failure, let outOfMemory)):
                freeNumbers.append(number)
                slotsByNumber.removeValue(forKey: number)?.handleExit(failure, outOfMemory: outOfMemory)
                spawnWaitingSlots()
            case .report(.ready), .report(.notReady): break
            case .wouldBlock: return
            case .closed:
                handleLoss()
                return
            }
        }
    }

    private func handleLoss() {
        guard isRunning else { return }
        tearDown()
        onLoss?()
    }

    /// Closes the socket, reaps the launcher and reports every slot as gone.
    ///
    /// A launcher ends with its socket, and its slots end with it.
    private func tearDown() {
        watch?.cancel()
        watch = nil
        socket = nil
        pendingRequests = []
        LauncherProcess.reap(pid)
        cgroups?.remove()
        let lostSlots = Array(slotsByNumber.values) + waitingSlots
        slotsByNumber = [:]
        waitingSlots = []
        spareSlots = []
        for slot in lostSlots { slot.handleExit() }
    }
}
