internal import ArgumentParser
internal import Runs

/// A run's name as an argument.
struct RunArgument: ExpressibleByArgument {
    let name: RunID

    init?(argument: String) {
        guard let id = RunID(argument) else { return nil }
        name = id
    }
}
