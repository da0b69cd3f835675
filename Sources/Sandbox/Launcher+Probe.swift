internal import Glibc
internal import Reactor

extension Launcher {
    /// Makes a slot in earnest and has it run something that cannot be run, so that every wall is built once.
    ///
    /// - Parameter completion: called with what went wrong before exec, or with `nil`.
    public func probe(_ completion: @escaping @Reactor (SetupFailure?) -> Void) {
        do throws(SetupFailure) {
            let slot = try makeSlot()
            slot.onReport = { report in
                switch report {
                case .failed(let failure): completion(failure.step == .exec ? nil : failure)
                case .started, .ended, .outOfMemory, .vanished: completion(SetupFailure(step: .slot, number: EPROTO))
                }
            }
            try Self.startNothing(in: slot)
        } catch {
            completion(error)
        }
    }

    /// Finds out whether a command could be started now: the launcher makes a slot and every wall of it, up to exec.
    ///
    /// - Parameters:
    ///   - patience: how long that may take.
    ///   - completion: called once, with why it could not; ETIMEDOUT: nothing came in time.
    public func trySlot(atMost patience: Duration, _ completion: @escaping @Reactor (SetupFailure?) -> Void) {
        guard isRunning else { return completion(SetupFailure(step: .launcher, number: EPIPE)) }
        SlotTrial(completion).start(on: self, atMost: patience)
    }

    /// A folder cannot be executed.
    static func startNothing(in slot: Slot) throws(SetupFailure) {
        let command = SlotCommand(
            arguments: ["/"],
            environment: [:],
            workingDirectory: "/",
            openFiles: 16,
            processes: 16,
            memoryBytes: 64 << 20,
            cpu: .seconds(1),
            diskBytes: 1 << 20
        )
        let null = open("/dev/null", O_RDWR | O_CLOEXEC)
        guard null >= 0 else { throw SetupFailure(step: .standardStreams, number: errno) }
        let descriptor = Descriptor(owning: null)
        do throws(SystemError) {
            try slot.start(command, streams: [descriptor.raw, descriptor.raw, descriptor.raw])
        } catch {
            throw SetupFailure(step: .slot, number: error.number)
        }
    }
}

extension Launcher {
    /// ``probe(_:)``, awaited.
    public func probeOnce() async -> SetupFailure? {
        await withCheckedContinuation { continuation in
            probe { failure in continuation.resume(returning: failure) }
        }
    }
}
