internal import CLinux
internal import Glibc
public import Reactor

/// This process's side of the launcher: gives out slots and learns when they are gone.
@Reactor
public final class Launcher {
    private enum Request {
        case spawn(Slot)
        case kill(slot: UInt32)
    }

    /// Who has just been answered may be about to ask for the next run: while there are spares, making others can wait for
    /// that to have started.
    private static let refillDelay = Duration.milliseconds(2)

    private let pid: pid_t
    private var socket: Descriptor?
    private var watch: Watch?
    private var outbox: [Request] = []
    private var freeNumbers: [UInt32]
    private var waiting: [Slot] = []
    private var living: [UInt32: Slot] = [:]
    private var spares: [Slot] = []
    private let spareCount: Int
    /// What spares are.
    let usual: SlotKind
    private let images: [String]
    private let cgroups: CgroupTree?
    private var refillTimer: Timer?

    /// What this host lets every slot have.
    public let support: SandboxSupport

    /// Called when the launcher has ended although nobody stopped it.
    ///
    /// All its slots have vanished by then, and it gives out no more.
    public var onLoss: (@Reactor () -> Void)?

    /// Takes over a launcher.
    ///
    /// - Parameters:
    ///   - process: the launcher.
    ///   - spares: how many slots ``refill()`` sets up ahead of need. Each is used once, like any other.
    /// - Throws: why its socket cannot be watched.
    public init(_ process: consuming LauncherProcess, spares: Int = 0) throws(SetupFailure) {
        spareCount = spares
        pid = process.pid
        usual = SlotKind(scratchBytes: process.scratchBytes)
        images = process.images
        cgroups = process.cgroups
        support = process.support
        freeNumbers = (0..<UInt32(process.slots)).reversed()
        let descriptor = process.takeSocket()
        let raw = descriptor.raw
        socket = .some(descriptor)
        do {
            watch = try Reactor.watch(raw, for: .readable) { [weak self] interest in self?.handle(interest) }
        } catch {
            throw SetupFailure(step: .launcher, error: error)
        }
    }

    /// Whether it still gives out slots.
    public var isRunning: Bool { socket != nil }

    /// How many slots there are, those included that are being torn down.
    public var livingSlots: Int { living.count }

    /// How many slots are kept ahead of need, those included that are just being set up.
    public var readySlots: Int { spares.count }

    /// A slot that nothing has run in: a spare, or a new one, which is being set up from now on.
    ///
    /// It can be told at once what to run.
    ///
    /// - Parameters:
    ///   - scratchBytes: the size of its writable file system; `nil`: that of the spares.
    ///   - image: the name of what it shows; the host's view is that of the spares.
    ///   - sharesNetwork: whether it uses the host's network, if the policy allows that.
    /// - Returns: a slot.
    /// - Throws: why there is none: the launcher has ended, it has no such image, or this process has no descriptor left.
    public func makeSlot(
        scratchBytes: Int? = nil,
        image: String = SandboxImage.hostName,
        sharesNetwork: Bool = false
    ) throws(SetupFailure) -> Slot {
        guard isRunning else { throw SetupFailure(step: .launcher, number: EPIPE) }
        var kind = SlotKind(scratchBytes: scratchBytes ?? usual.scratchBytes, sharesNetwork: sharesNetwork)
        if image != SandboxImage.hostName {
            guard let index = images.firstIndex(of: image) else { throw SetupFailure(step: .image, number: ENOENT) }
            kind.image = index + 1
        }
        if !spares.isEmpty, kind == usual {
            let slot = spares.removeFirst()
            slot.onReport = nil
            return slot
        }
        return try spawnSlot(kind)
    }

    /// Sets up spare slots, as many as are missing.
    ///
    /// A slot costs more than most commands: best called when nobody waits.
    public func refill() {
        guard !spares.isEmpty else { return refillNow() }
        guard refillTimer == nil else { return }
        refillTimer = Reactor.schedule(at: .now.advanced(by: Self.refillDelay)) { [weak self] in
            self?.refillTimer = nil
            self?.refillNow()
        }
    }

    private func refillNow() {
        while isRunning, spares.count < spareCount, !freeNumbers.isEmpty {
            // What keeps a spare from being made is told to the next run that needs a slot.
            guard let slot = try? spawnSlot(usual) else { return }
            spares.append(slot)
            slot.onReport = { [weak self, weak slot] _ in self?.spares.removeAll { $0 === slot } }
        }
    }

    func spawnSlot(_ kind: SlotKind) throws(SetupFailure) -> Slot {
        let slot: Slot
        do {
            slot = try Slot(launcher: self, kind: kind)
        } catch {
            throw SetupFailure(step: .slot, error: error)
        }
        waiting.append(slot)
        spawnWaiting()
        return slot
    }

    /// Ends the launcher and every slot, and returns when they are gone.
    public func stop() {
        guard isRunning else { return }
        close()
        LauncherProcess.reap(pid)
        cgroups?.remove()
        abandonSlots()
    }

    /// Kills a slot from outside, when it does not answer.
    ///
    /// All that it runs dies with it.
    func kill(_ slot: Slot) {
        if let number = slot.number {
            // Once it is gone its number may be another's.
            if living[number] === slot { post(.kill(slot: number)) }
        } else {
            waiting.removeAll { $0 === slot }
            slot.becameGone()
        }
    }

    // MARK: Requests

    private func spawnWaiting() {
        while !waiting.isEmpty, let number = freeNumbers.popLast() {
            let slot = waiting.removeFirst()
            slot.number = number
            living[number] = slot
            post(.spawn(slot))
        }
    }

    private func post(_ request: Request) {
        outbox.append(request)
        flush()
    }

    /// Sends what the socket takes; the rest goes when it is writable again.
    private func flush() {
        guard let raw = socket?.raw else { return }
        while let request = outbox.first {
            do throws(SystemError) {
                switch request {
                case .spawn(let slot): try slot.sendSpawn(to: raw)
                case .kill(let slot): try LauncherWire.sendKill(slot: slot, to: raw)
                }
            } catch {
                // ETOOMANYREFS: more descriptors under way than this user may have open (unix(7)).
                if error.number == EAGAIN || error.number == ETOOMANYREFS {
                    watch?.change(to: [.readable, .writable])
                } else {
                    // Not at once: whoever asks for a slot right now has to be able to listen to it first.
                    _ = Reactor.schedule(at: .now) { [weak self] in self?.lost() }
                }
                return
            }
            outbox.removeFirst()
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
                living.removeValue(forKey: number)?.becameGone(failure, outOfMemory: outOfMemory)
                spawnWaiting()
            case .report(.ready), .report(.notReady): break
            case .nothingYet: return
            case .end:
                lost()
                return
            }
        }
    }

    private func lost() {
        guard isRunning else { return }
        close()
        // It has closed its socket, so it is ending, and its slots with it.
        LauncherProcess.reap(pid)
        cgroups?.remove()
        abandonSlots()
        onLoss?()
    }

    private func close() {
        watch?.cancel()
        watch = nil
        socket = nil
        outbox = []
    }

    private func abandonSlots() {
        let abandoned = Array(living.values) + waiting
        living = [:]
        waiting = []
        spares = []
        for slot in abandoned { slot.becameGone() }
    }
}
