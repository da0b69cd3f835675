internal import Glibc
internal import Reactor

/// A slot that is made only to see whether one can be made.
///
/// Not a spare, which was made some time ago: the launcher is asked.
@Reactor
final class SlotTrial {
    private var slot: Slot?
    private var timer: Timer?
    private var completion: (@Reactor (SetupFailure?) -> Void)?

    init(_ completion: @escaping @Reactor (SetupFailure?) -> Void) {
        self.completion = completion
    }

    func start(on launcher: Launcher, atMost patience: Duration) {
        do throws(SetupFailure) {
            let slot = try launcher.spawnSlot(launcher.usual)
            self.slot = slot
            // Each holds the other until it is over.
            slot.onReport = { [self] report in
                if case .failed(let failure) = report {
                    end(failure.step == .exec ? nil : failure)
                } else {
                    end(SetupFailure(step: .slot, number: EPROTO))
                }
            }
            timer = Reactor.schedule(at: .now.advanced(by: patience)) { [self] in
                slot.onReport = nil
                slot.destroy()
                end(SetupFailure(step: .launcher, number: ETIMEDOUT))
            }
            try Launcher.startNothing(in: slot)
        } catch {
            slot?.onReport = nil
            slot?.destroy()
            end(error)
        }
    }

    private func end(_ failure: SetupFailure?) {
        timer?.cancel()
        (timer, slot) = (nil, nil)
        let completion = completion.take()
        completion?(failure)
    }
}
