internal import Runs

/// What there is to remember of a run: the newest that is known replaces what was to be remembered before.
struct RunChange: Sendable {
    var run: Run
    var principal: String
    /// What it takes to run it, of a run that is new.
    var request: RunSpecification?
    /// The key that its client has for it, of a run that is new.
    var key: KeyUse?
    /// In which order it has written, of a run that is finished.
    var order = OutputOrder()
    /// Nothing is remembered of it yet.
    var isNew: Bool { request != nil }
    /// Who waits until it is remembered: called with what went wrong.
    var completions: [@Sendable (StoreError?) -> Void] = []

    /// Somebody's answer waits for it.
    var isUrgent: Bool { !completions.isEmpty }

    /// Puts a later one over this.
    mutating func merge(_ later: RunChange) {
        run = later.run
        if !later.order.pieces.isEmpty { order = later.order }
        completions += later.completions
    }
}
