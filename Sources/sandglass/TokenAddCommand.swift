internal import ArgumentParser
internal import Digests
internal import Identity
internal import Settings

/// `sandglass token add`.
struct TokenAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Make a token and print it, once.",
        discussion: """
            The token goes to standard output and nowhere else: only its digest is kept. For a name that is there already \
            it is one more token of the same principal; remove the old one with --replace once the new one is in use.
            """
    )

    @Argument(help: "Who it is for: letters, digits, dots, hyphens and underscores.") var name: String

    @OptionGroup var file: TokenFileOption

    @Option(
        help: ArgumentHelp(
            "What it may do: run (create, cancel and forget its own runs), read (read them), admin (all, of everybody). "
                + "It may be repeated. (default: run and read)",
            valueName: "role"
        )
    )
    var role: [String] = []

    @Option(help: ArgumentHelp("How many of its commands run at once.", valueName: "number")) var concurrency: Int?
    @Option(help: ArgumentHelp("How many of its runs may wait.", valueName: "number")) var queueLimit: Int?
    @Option(help: ArgumentHelp("How many runs it may ask for in a minute.", valueName: "number")) var runsPerMinute:
        Int?

    @Flag(help: "Forget its other tokens.") var replace = false

    func run() throws {
        guard Principal.isName(name) else {
            throw ValidationError(
                "'\(name)' is no name: it must be 1 to 64 letters, digits, dots, hyphens, underscores."
            )
        }
        let store = try file.store()
        let token = Token()
        do throws(SettingError) {
            var tokens = try store.read()
            try change(&tokens, token.digest)
            // What would not be read again is not written.
            _ = try TokenSource.parse(tokens.text)
            try store.write(tokens)
        } catch {
            Diagnostics.say("sandglass: \(error)")
            throw ExitCode.failure
        }
        print(token.text)
    }

    private func change(_ tokens: inout TokenFile, _ digest: SHA256Digest) throws(SettingError) {
        var roles: Set<Role> = []
        for text in role {
            guard let role = Role(rawValue: text) else {
                throw SettingError("'\(text)' is no role: it must be run, read or admin.")
            }
            roles.insert(role)
        }
        let given = PrincipalLimits(concurrency: concurrency, queued: queueLimit, runsPerMinute: runsPerMinute)
        if let index = tokens.entries.firstIndex(where: { $0.principal.name == name }) {
            let old = tokens.entries[index].principal
            tokens.entries[index].principal = Principal(
                name: name,
                roles: roles.isEmpty ? old.roles : roles,
                limits: given.over(old.limits)
            )
            tokens.entries[index].digests = (replace ? [] : tokens.entries[index].digests) + [digest]
        } else {
            let principal = Principal(name: name, roles: roles.isEmpty ? [.run, .read] : roles, limits: given)
            tokens.entries.append(TokenFile.Entry(principal, digests: [digest]))
        }
    }
}
