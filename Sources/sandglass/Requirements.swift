internal import ArgumentParser
internal import Sandbox

/// What a caller insists on: `isolation`, or names with commas between them.
struct Requirements: ExpressibleByArgument {
    /// For `--require` of any command.
    static let help = ArgumentHelp(
        """
        Do not start without this: isolation (all of it), namespaces, seccomp, landlock, cgroups, memory, processes, cpu; \
        several with commas between them, or the flag again. `sandglass doctor` says what this host has. \
        (environment: SANDGLASS_REQUIRE)
        """,
        valueName: "wall"
    )

    /// What the host must have.
    let features: Set<HostFeature>

    init?(argument: String) {
        var features: Set<HostFeature> = []
        for name in argument.split(separator: ",", omittingEmptySubsequences: false) {
            guard let requirement = Requirement(rawValue: String(name)) else { return nil }
            features.formUnion(requirement.features)
        }
        self.features = features
    }

    /// What the flags ask for, else what the variable does, else nothing.
    static func features(_ flags: [Requirements]) throws -> Set<HostFeature> {
        let named = flags.isEmpty ? try Setting.value(nil, "SANDGLASS_REQUIRE").map { [$0] } ?? [] : flags
        return named.reduce(into: []) { all, one in all.formUnion(one.features) }
    }
}
