internal import Sandbox
internal import Settings

/// The settings of the sandbox, for `serve`, `run` and `doctor`.
struct SandboxSettings: SettingGroup {
    static let title = "Sandbox"

    let expose = ListSetting(
        "expose",
        separator: ":",
        valueName: "path",
        defaultText: "none",
        constraint: "a path",
        help: "Show this host directory to commands at the same path, read-only. Repeatable.",
        parse: { $0 }
    )
    let image = ListSetting(
        "image",
        separator: ",",
        valueName: "name=path",
        defaultText: "none",
        constraint: "a name, = and a path",
        help: "Offer this root file system to runs under a name, read-only. Repeatable.",
        parse: { $0 }
    )
    let allowHostNetwork = Setting.toggle(
        "allowHostNetwork",
        help: "Allow runs to use the host's network, including this server."
    )
    let allowSeccomp = Setting.toggle(
        "allowSeccomp",
        help:
            "Allow commands to install system call filters of their own, whose memory no limit counts. Only for trusted "
            + "commands: one that fills that memory stops the sandboxes of everybody."
    )
    let require = ListSetting<[Requirement]>(
        "require",
        separator: ",",
        valueName: "protection",
        defaultText: "the protections that every start needs",
        constraint: "one or more of \(Requirement.allCases.map(\.rawValue).joined(separator: ", "))",
        help:
            "Refuse to start without this protection: isolation (all of them), namespaces, seccomp, landlock, cgroups, "
            + "memory, processes or cpu. Repeatable; `sandglass doctor` shows what this host supports.",
        parse: { text in
            let names = text.split(separator: ",", omittingEmptySubsequences: false)
            // The environment provider removes spaces around the elements, so this does it as well.
            let requirements = names.compactMap { Requirement(rawValue: String($0.drop { $0 == " " })) }
            return requirements.count == names.count ? requirements : nil
        }
    )

    /// Returns the host features that the settings require together.
    func required(_ sources: SettingSources) throws(SettingError) -> Set<HostFeature> {
        try sources.values(require).joined().reduce(into: []) { all, one in all.formUnion(one.features) }
    }

    /// Checks each directory, and returns the directories and images that commands can see besides the built-in view.
    ///
    /// - Parameters:
    ///   - sources: The sources of the settings.
    ///   - images: The images, each as `NAME=PATH`.
    /// - Returns: A configuration without the host's network.
    /// - Throws: If a directory does not exist or cannot be shown.
    func configuration(_ sources: SettingSources, images: [String]) throws(SettingError) -> SandboxConfiguration {
        var configuration = SandboxConfiguration()
        let exposed = try sources.values(expose)
        do {
            configuration.exposed = try ExposedPath.all(exposed)
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
