internal import ArgumentParser
internal import Sandbox

/// What commands see of this machine beside its programs: of `serve` and of `run`.
struct ViewOptions: ParsableArguments {
    @Option(
        help: ArgumentHelp(
            """
            A folder of this machine that commands see at the same path, read-only; it may be repeated. \
            (environment: SANDGLASS_EXPOSE, with colons between them)
            """,
            valueName: "path"
        )
    )
    var expose: [String] = []

    /// What commands may have, each folder looked up.
    ///
    /// - Parameter images: `NAME=PATH`, each.
    /// - Returns: a configuration without the host's network.
    /// - Throws: what cannot be had.
    func configuration(images: [String]) throws -> SandboxConfiguration {
        var configuration = SandboxConfiguration()
        do {
            configuration.exposed = try ExposedFolder.all(Setting.list(expose, "SANDGLASS_EXPOSE", separator: ":"))
        } catch {
            throw ValidationError("--expose: \(error)")
        }
        do {
            configuration.images = try SandboxImage.all(images)
        } catch {
            throw ValidationError("--image: \(error)")
        }
        return configuration
    }
}
