internal import ArgumentParser

/// `sandglass token`.
struct TokenCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "token",
        abstract: "Say who may use a server: add, list and remove principals and their tokens.",
        discussion: """
            The file holds names, roles and digests, never a token. A server that was started with --tokens FILE reads it \
            again when it changes.
            """,
        subcommands: [TokenAddCommand.self, TokenListCommand.self, TokenRemoveCommand.self]
    )
}
