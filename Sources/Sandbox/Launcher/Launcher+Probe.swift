internal import Glibc
internal import Reactor
internal import System

extension Launcher {
    /// Builds one slot completely, up to an exec that must fail.
    ///
    /// A spare slot may be used.
    ///
    /// - Returns: the failure of a step before exec, or `nil`.
    package func probe() async -> SetupFailure? {
        await withCheckedContinuation { continuation in
            var slot: Slot?
            do throws(SetupFailure) {
                let newSlot = try makeSlot()
                slot = newSlot
                newSlot.onReport = { [weak newSlot] report in
                    newSlot?.onReport = nil
                    continuation.resume(returning: SlotProbe.failure(in: report))
                }
                try SlotProbe.startInvalidCommand(in: newSlot)
            } catch {
                slot?.onReport = nil
                continuation.resume(returning: error)
            }
        }
    }

    /// Checks whether the launcher can start a command now: it builds a new slot completely, up to exec.
    ///
    /// A spare slot would prove nothing, because it was built some time ago.
    ///
    /// - Parameters:
    ///   - timeout: the time that the check may take. The failure has ETIMEDOUT after that.
    ///   - completion: called once, with the failure or `nil`.
    package func probeSlot(timeout: Duration, _ completion: @escaping @ReactorActor (SetupFailure?) -> Void) {
        guard isRunning else { return completion(SetupFailure(step: .launcher, number: EPIPE)) }
        SlotProbe(completion).start(on: self, timeout: timeout)
    }
}

/// A slot that is created only to check that slots can be created.
@ReactorActor
private final class SlotProbe {
    private var slot: Slot?
    private var timer: Timer?
    private var completion: (@ReactorActor (SetupFailure?) -> Void)?

    init(_ completion: @escaping @ReactorActor (SetupFailure?) -> Void) {
        self.completion = completion
    }

    func start(on launcher: Launcher, timeout: Duration) {
        do throws(SetupFailure) {
            let slot = try launcher.spawnSlot(launcher.defaultKind)
            self.slot = slot
            // The probe and the slot keep each other alive until the probe has finished.
            slot.onReport = { [self] report in finish(Self.failure(in: report)) }
            timer = ReactorActor.schedule(at: .now.advanced(by: timeout)) { [self] in
                slot.onReport = nil
                slot.destroy()
                finish(SetupFailure(step: .launcher, number: ETIMEDOUT))
            }
            try Self.startInvalidCommand(in: slot)
        } catch {
            slot?.onReport = nil
            slot?.destroy()
            finish(error)
        }
    }

    private func finish(_ failure: SetupFailure?) {
        timer?.cancel()
        (timer, slot) = (nil, nil)
        let completion = completion.take()
        completion?(failure)
    }

    /// Returns the failure that a report means for a probe, whose exec is expected to fail.
    static func failure(in report: SlotReport) -> SetupFailure? {
        switch report {
        case .failed(let failure): failure.step == .exec ? nil : failure
        case .started, .ended, .outOfMemory, .vanished: SetupFailure(step: .slot, number: EPROTO)
        }
    }

    /// Starts a command that cannot be executed: `/` is a directory.
    static func startInvalidCommand(in slot: Slot) throws(SetupFailure) {
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
            throw SetupFailure(step: .slot, error: error)
        }
    }
}
