internal import Configuration
internal import Locks

/// Notes which source had the value that was asked for last.
final class WinningSource: AccessReporter {
    private let source = Lock<String?>(nil)

    var name: String? { source.withLock { $0 } }

    func report(_ event: AccessEvent) {
        let name = event.providerResults.first { result in
            guard case .success(let lookup) = result.result else { return false }
            return lookup.value != nil
        }?.providerName
        source.withLock { $0 = name }
    }
}
