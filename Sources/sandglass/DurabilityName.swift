internal import ArgumentParser
internal import Store

/// A durability on the command line.
struct DurabilityName: ExpressibleByArgument {
    let value: Durability

    init?(argument: String) {
        guard let value = Durability(rawValue: argument) else { return nil }
        self.value = value
    }
}
