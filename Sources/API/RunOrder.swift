internal import Runs

/// What a body of `POST /runs` asks for.
struct RunOrder: Hashable {
    /// What to run.
    var specification: RunSpecification
    /// Whether an earlier run of it will do (`cache`).
    var usesCache = false
}
