internal import Settings

/// What the commands that talk to a server can be told: which server, who is asking, and whom to trust.
enum ClientSetting {
    static let all = [server.description, tokenFile.description, caFile.description]

    /// The variable that holds a token.
    ///
    /// There is no flag for it: everybody may read the arguments of a process.
    static let tokenVariable = "SANDGLASS_TOKEN"

    static let server = text(
        "server",
        valueName: "url",
        standard: "http://127.0.0.1:8080",
        help: "Where the server is: http:// or https://, and the path below which a proxy has it."
    )
    static let tokenFile = text(
        "tokenFile",
        valueName: "path",
        standard: "none",
        help: "A file with the token that the server knows you by; \(tokenVariable) may hold the token itself."
    )
    static let caFile = text(
        "caFile",
        valueName: "path",
        standard: "the system's",
        help: "The certificates (PEM) of those who may have signed the server's, for https."
    )

    private static func text(_ name: String, valueName: String, standard: String, help: String) -> Setting<String> {
        Setting(name, valueName: valueName, standard: standard, must: "given", help: help) { $0.isEmpty ? nil : $0 }
    }
}
