internal import ArgumentParser
internal import Glibc
internal import Identity
internal import Settings
internal import System

/// `sandglass token`.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Manage the principals of a server and their tokens.",
        discussion: """
            The token file contains names, roles and digests of tokens, but no token. A server that runs with \
            --tokens FILE reloads the file when it changes.
            """,
        subcommands: [TokenAddCommand.self, TokenListCommand.self, TokenRemoveCommand.self]
    )
}

/// `sandglass token add`.
struct TokenAddCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "add",
        abstract: "Create a token and print it.",
        discussion: """
            The token is printed to standard output and cannot be shown again, because the file stores only its digest.

            A second token for the same name belongs to the same principal. --replace removes the principal's other \
            tokens.
            """
    )

    @Argument(help: "The name of the principal: letters, digits, dots, hyphens and underscores.") var name: String

    @OptionGroup var file: TokenFileOptions

    @Option(
        help: ArgumentHelp(
            "Grant this role: run (create, cancel and delete own runs), read (read own runs) or admin (everything, "
                + "for all runs). Repeatable. (default: run and read)",
            valueName: "role"
        )
    )
    var role: [String] = []

    @Option(
        help: ArgumentHelp("Limit the principal's concurrent runs. (default: the server's limit)", valueName: "number")
    )
    var concurrency: Int?

    @Option(help: ArgumentHelp("Limit the principal's queued runs. (default: the server's limit)", valueName: "number"))
    var queueLimit: Int?

    @Option(
        help: ArgumentHelp(
            "Limit the principal's new runs per minute. (default: the server's limit)",
            valueName: "number"
        )
    )
    var runsPerMinute: Int?

    @Flag(help: "Remove the principal's other tokens.") var replace = false

    func run() throws {
        guard Principal.isValidName(name) else {
            throw ValidationError(
                "'\(name)' is not a valid name: it must be 1 to 64 letters, digits, dots, hyphens or underscores."
            )
        }
        let store = try file.store()
        let token = Token()
        try TokenFileStore.orFail { () throws(SettingError) in
            var tokens = try store.read()
            try change(&tokens, token.digest)
            // A file that the server would reject must not be written.
            _ = try TokenSource.parse(tokens.text)
            try store.write(tokens)
        }
        print(token.text)
    }

    private func change(_ tokens: inout TokenFile, _ digest: SHA256Digest) throws(SettingError) {
        var roles: Set<Role> = []
        for text in role {
            guard let role = Role(rawValue: text) else {
                throw SettingError("'\(text)' is not a role: it must be run, read or admin.")
            }
            roles.insert(role)
        }
        let limits = PrincipalLimits(concurrency: concurrency, queued: queueLimit, runsPerMinute: runsPerMinute)
        if let index = tokens.entries.firstIndex(where: { $0.principal.name == name }) {
            let old = tokens.entries[index].principal
            tokens.entries[index].principal = Principal(
                name: name,
                roles: roles.isEmpty ? old.roles : roles,
                limits: limits.withDefaults(old.limits)
            )
            tokens.entries[index].digests = (replace ? [] : tokens.entries[index].digests) + [digest]
        } else {
            let principal = Principal(name: name, roles: roles.isEmpty ? [.run, .read] : roles, limits: limits)
            tokens.entries.append(TokenFile.Entry(principal, digests: [digest]))
        }
    }
}

/// `sandglass token list`.
struct TokenListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "List the principals with their roles, limits and number of tokens."
    )

    @OptionGroup var file: TokenFileOptions

    func run() throws {
        let store = try file.store()
        try TokenFileStore.orFail { () throws(SettingError) in
            for entry in try TokenSource.read(store.path).entries { print(Self.line(entry)) }
        }
    }

    private static func line(_ entry: TokenFile.Entry) -> String {
        let (principal, limits) = (entry.principal, entry.principal.limits)
        var columns = [principal.name, principal.roles.sorted().map(\.rawValue).joined(separator: ",")]
        columns.append("\(entry.digests.count, counting: "token")")
        if let number = limits.concurrency { columns.append("concurrency \(number)") }
        if let number = limits.queued { columns.append("queue-limit \(number)") }
        if let number = limits.runsPerMinute { columns.append("runs-per-minute \(number)") }
        return columns.joined(separator: "\t")
    }
}

/// `sandglass token remove`.
struct TokenRemoveCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "remove",
        abstract: "Remove a principal and all its tokens.",
        discussion: "Its runs are kept and remain visible to the role admin."
    )

    @Argument(help: "The name of the principal.") var name: String

    @OptionGroup var file: TokenFileOptions

    func run() throws {
        let store = try file.store()
        try TokenFileStore.orFail { () throws(SettingError) in
            var tokens = try TokenSource.read(store.path)
            let count = tokens.entries.count
            tokens.entries.removeAll { $0.principal.name == name }
            guard tokens.entries.count < count else {
                throw SettingError("There is no principal '\(name)' in \(store.path).")
            }
            try store.write(tokens)
        }
    }
}

// MARK: The token file

/// The option that names the token file.
struct TokenFileOptions: ParsableArguments {
    struct Options: SettingGroup {
        static let title = ""

        let tokens = ServeSetting.network.tokens.description.withHelp(
            "Use this token file.",
            defaultText: "none; required"
        )
    }

    @OptionGroup var options: SettingOptions<Options>

    /// Returns the token file.
    ///
    /// - Throws: A usage error if neither the option nor the environment names it.
    func store() throws -> TokenFileStore {
        let path = try ProgramSettings.read { () throws(SettingError) -> String? in
            try ProgramSettings.command(flags: options.values).value(ServeSetting.network.tokens)
        }
        guard let path else {
            throw ValidationError("No token file. Name the file that the server uses: --tokens FILE")
        }
        return TokenFileStore(path: path)
    }
}

/// The token file, for commands that change it.
struct TokenFileStore {
    // Readable for all users, because the server reloads the file as an unprivileged user. The file has no token, and a
    // digest cannot be inverted.
    private static let mode: mode_t = 0o644

    let path: String

    /// Reads the principals.
    ///
    /// A missing file is empty.
    func read() throws(SettingError) -> TokenFile {
        if access(path, F_OK) != 0, errno == ENOENT { return TokenFile() }
        return try TokenSource.read(path)
    }

    /// Replaces the file atomically, so that a server never reads an incomplete one.
    func write(_ file: TokenFile) throws(SettingError) {
        // Replace the target of a link instead of the link.
        var target = path
        if let text = realpath(path, nil) {
            target = String(cString: text)
            free(text)
        }
        let new = "\(target).\(getpid()).new"
        let descriptor = open(new, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, Self.mode)
        guard descriptor >= 0 else { throw failure("open", new) }
        var isRenamed = false
        defer {
            close(descriptor)
            if !isRenamed { unlink(new) }
        }
        var rest = file.text[...]
        while !rest.isEmpty {
            let count = rest.withUnsafeBytes { Glibc.write(descriptor, $0.baseAddress, $0.count) }
            guard count > 0 else { throw failure("write", new) }
            rest = rest.dropFirst(count)
        }
        // fchmod(2) overrides the caller's umask. fsync(2) puts the new file on disk before the old one is gone.
        guard fchmod(descriptor, Self.mode) == 0, fsync(descriptor) == 0, rename(new, target) == 0 else {
            throw failure("rename", target)
        }
        isRenamed = true
    }

    /// Uses the file, and exits with a failure if that is not possible.
    static func orFail(_ body: () throws(SettingError) -> Void) throws {
        do throws(SettingError) {
            try body()
        } catch {
            Diagnostics.print("sandglass: \(error)")
            throw ExitCode.failure
        }
    }

    private func failure(_ operation: String, _ path: String) -> SettingError {
        SettingError("\(operation) \(path): \(SystemError.meaning(of: errno))")
    }
}
