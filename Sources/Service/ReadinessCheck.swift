internal import Reactor
package import Sandbox
package import Store
internal import System

/// A reason why the service cannot start or store a run at the moment.
package enum ReadinessFault: Sendable, Hashable {
    /// The service is shutting down.
    case stopping
    /// The launcher could not create a slot.
    case launcher(SetupFailure)
    /// The store cannot write, or its disk is full.
    case store(StoreError)
    /// The store did not complete a write in time.
    case storeIsSilent
}

/// Tests whether a run can be started and stored.
///
/// A test creates a complete slot and commits a write to the database. Both take milliseconds. A result is reused
/// for one second, and concurrent callers share one test, so frequent callers cost little.
@ReactorActor
final class ReadinessCheck {
    /// The time limit of each part of a test: the launcher's and the store's.
    private static let timeout = Duration.seconds(2)
    /// The time for which a result is reused.
    private static let lifetime = Duration.seconds(1)

    private let launcher: Launcher
    private let store: RunStore
    private var completions: [@ReactorActor ([ReadinessFault]) -> Void] = []
    private var last: (faults: [ReadinessFault], until: MonotonicTime)?
    /// The faults that the current test has found so far.
    private var faults: [ReadinessFault] = []
    /// The number of parts of the current test that have no result yet.
    private var pendingParts = 0
    private var storeIsPending = false
    /// The number of the current test.
    ///
    /// The store may report a result after its test has timed out.
    private var testNumber = 0

    init(launcher: Launcher, store: RunStore) {
        self.launcher = launcher
        self.store = store
    }

    /// Runs a test, or reuses the last result, and returns the faults.
    func check() async -> [ReadinessFault] {
        await withCheckedContinuation { continuation in
            check { continuation.resume(returning: $0) }
        }
    }

    /// Runs a test, or reuses the last result, and passes the faults to the completion.
    func check(_ completion: @escaping @ReactorActor ([ReadinessFault]) -> Void) {
        // A launcher that has ended does not come back.
        if let last, last.until > .now, launcher.isRunning { return completion(last.faults) }
        completions.append(completion)
        guard completions.count == 1 else { return }
        faults = []
        (pendingParts, storeIsPending) = (2, true)
        testNumber += 1
        launcher.probeSlot(timeout: Self.timeout) { [self] failure in finishPart(failure.map { .launcher($0) }) }
        testStore()
    }

    private func testStore() {
        let number = testNumber
        let timer = ReactorActor.schedule(at: .now.advanced(by: Self.timeout)) { [self] in
            if number == testNumber, storeIsPending { finishStore(.storeIsSilent) }
        }
        store.tryWriting(
            onReactor { [self] error in
                timer.cancel()
                // The result may arrive after the timeout.
                if number == testNumber, storeIsPending { finishStore(error.map { .store($0) }) }
            }
        )
    }

    private func finishStore(_ fault: ReadinessFault?) {
        storeIsPending = false
        finishPart(fault)
    }

    private func finishPart(_ fault: ReadinessFault?) {
        if let fault { faults.append(fault) }
        pendingParts -= 1
        guard pendingParts == 0 else { return }
        last = (faults, .now.advanced(by: Self.lifetime))
        let completions = completions
        self.completions = []
        for completion in completions { completion(faults) }
    }
}
