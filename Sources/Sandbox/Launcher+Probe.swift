internal import Glibc
internal import Reactor

extension Launcher {
    /// Makes a slot in earnest and has it run something that cannot be run, so that every wall is built once.
    ///
    /// - Parameter completion: called with what went wrong before exec, or with `nil`.
    public func probe(_ completion: @escaping @Reactor (SetupFailure?) -> Void) {
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
        do {
            let null = open("/dev/null", O_RDWR | O_CLOEXEC)
            guard null >= 0 else { throw SetupFailure(step: .standardStreams, number: errno) }
            let descriptor = Descriptor(owning: null)
            let slot = try makeSlot()
            slot.onReport = { report in
                switch report {
                case .failed(let failure): completion(failure.step == .exec ? nil : failure)
                case .started, .ended, .outOfMemory, .vanished: completion(SetupFailure(step: .slot, number: EPROTO))
                }
            }
            try slot.start(command, streams: [descriptor.raw, descriptor.raw, descriptor.raw])
        } catch let failure as SetupFailure {
            completion(failure)
        } catch {
            completion(SetupFailure(step: .slot, number: (error as? SystemError)?.number ?? EPROTO))
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
