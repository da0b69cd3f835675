/// Whom a server answers: by which names it is called, and which pages may use it.
public struct AccessRules: Sendable {
    /// Names by which it may be called beside those of loopback and its own address: `build.example.com`, without a port.
    public var hosts: [String] = []
    /// The origins of pages that may use it from a browser, beside its own: `https://app.example.com`.
    public var origins: [String] = []
    /// Whether it speaks TLS, which makes its own origin one of https.
    public var isEncrypted = false

    /// The rules of a server on loopback.
    public init() {}
}
