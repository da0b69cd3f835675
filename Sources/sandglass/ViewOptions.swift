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

    /// The folders, each looked up.
    func exposedFolders() throws -> [ExposedFolder] {
        do {
            return try ExposedFolder.all(Setting.list(expose, "SANDGLASS_EXPOSE", separator: ":"))
        } catch {
            throw ValidationError("--expose: \(error)")
        }
    }
}
