internal import Digests
internal import Runs

/// The runs under way whose result others may have too.
struct SharedRuns {
    struct Name: Hashable {
        let principal: String
        let digest: SHA256Digest
    }

    private var runs: [Name: RunID] = [:]
    private var names: [RunID: Name] = [:]

    subscript(name: Name) -> RunID? { runs[name] }

    mutating func insert(_ run: RunID, of name: Name) {
        runs[name] = run
        names[run] = name
    }

    /// It is over.
    mutating func remove(_ run: RunID) {
        guard let name = names.removeValue(forKey: run) else { return }
        runs[name] = nil
    }
}
