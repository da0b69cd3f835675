internal import Sandbox
internal import Settings

/// What commands see and what holds them, of `serve`, `run` and `doctor`.
enum SandboxSetting {
    static let all = [
        expose.description, image.description, allowHostNetwork.description, require.description,
    ]

    static let expose = Setting(
        "expose",
        .list(separator: ":"),
        valueName: "path",
        standard: "none",
        must: "a path",
        help: "A folder of this machine that commands see at the same path, read-only. It may be repeated.",
        read: { $0 }
    )
    static let image = Setting(
        "image",
        .list(separator: ","),
        valueName: "name=path",
        standard: "none",
        must: "a name, = and a path",
        help: "A root file system that runs may choose by its name, read-only. It may be repeated.",
        read: { $0 }
    )
    static let allowHostNetwork = Setting.toggle(
        "allowHostNetwork",
        help: "Let a run that asks for it use this machine's network, this server included."
    )
    static let require = Setting<[Requirement]>(
        "require",
        .list(separator: ","),
        valueName: "wall",
        standard: "what nothing starts without",
        must: "some of \(Requirement.allCases.map(\.rawValue).joined(separator: ", "))",
        help: "Do not start without this: isolation (all of it), namespaces, seccomp, landlock, cgroups, memory, "
            + "processes, cpu. It may be repeated, or several named with commas between. "
            + "`sandglass doctor` says what this host has.",
        read: { text in
            let names = text.split(separator: ",", omittingEmptySubsequences: false)
            // Spaces around them are taken off in the environment, so they are here too.
            let requirements = names.compactMap { Requirement(rawValue: String($0.drop { $0 == " " })) }
            return requirements.count == names.count ? requirements : nil
        }
    )

    /// What is required, together.
    static func required(_ sources: SettingSources) throws(SettingError) -> Set<HostFeature> {
        try sources.values(require).joined().reduce(into: []) { all, one in all.formUnion(one.features) }
    }

    /// What commands may have beside the built-in view, each folder looked up.
    ///
    /// - Parameters:
    ///   - sources: where settings come from.
    ///   - images: `NAME=PATH`, each.
    /// - Returns: a configuration without the host's network.
    /// - Throws: what cannot be had.
    static func sandbox(_ sources: SettingSources, images: [String]) throws(SettingError) -> SandboxConfiguration {
        var configuration = SandboxConfiguration()
        let exposed = try sources.values(expose)
        do {
            configuration.exposed = try ExposedFolder.all(exposed)
        } catch {
            throw SettingError("\(sources.source(of: expose.description)): \(error)")
        }
        do {
            configuration.images = try SandboxImage.all(images)
        } catch {
            throw SettingError("\(sources.source(of: image.description)): \(error)")
        }
        return configuration
    }
}
