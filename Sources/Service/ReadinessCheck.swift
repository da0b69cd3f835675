internal import Reactor
internal import Sandbox
internal import Store

/// Tries whether a run could be started and remembered.
///
/// It has a slot made, walls and all, and something written. Both take milliseconds, yet whoever asks all the time gets what was
/// found out at most a second ago, and those who ask at once share one try.
@Reactor
final class ReadinessCheck {
    private static let patience = Duration.seconds(2)
    private static let lasting = Duration.seconds(1)

    private let launcher: Launcher
    private let store: RunStore
    private var listeners: [@Reactor ([ReadinessFault]) -> Void] = []
    private var last: (faults: [ReadinessFault], until: MonotonicTime)?
    /// Of the try that is under way.
    private var faults: [ReadinessFault] = []
    private var open = 0
    private var storeIsOpen = false
    private var tries = 0

    init(launcher: Launcher, store: RunStore) {
        self.launcher = launcher
        self.store = store
    }

    func check(_ completion: @escaping @Reactor ([ReadinessFault]) -> Void) {
        // A launcher that has ended does not come back.
        if let last, last.until > .now, launcher.isRunning { return completion(last.faults) }
        listeners.append(completion)
        guard listeners.count == 1 else { return }
        faults = []
        (open, storeIsOpen) = (2, true)
        tries += 1
        launcher.trySlot(atMost: Self.patience) { [self] failure in end(failure.map { .launcher($0) }) }
        tryStore()
    }

    private func tryStore() {
        let id = tries
        let timer = Reactor.schedule(at: .now.advanced(by: Self.patience)) { [self] in
            if id == tries, storeIsOpen { endStore(.storeIsSilent) }
        }
        store.tryWriting { error in
            Task { @Reactor [self] in
                timer.cancel()
                // Its word may come when nobody waits for it any more.
                if id == tries, storeIsOpen { endStore(error.map { .store($0) }) }
            }
        }
    }

    private func endStore(_ fault: ReadinessFault?) {
        storeIsOpen = false
        end(fault)
    }

    private func end(_ fault: ReadinessFault?) {
        if let fault { faults.append(fault) }
        open -= 1
        guard open == 0 else { return }
        last = (faults, .now.advanced(by: Self.lasting))
        let completions = listeners
        listeners = []
        for completion in completions { completion(faults) }
    }
}
