/// What a server shows for itself to clients that speak TLS: a certificate and its key.
public struct TLSIdentity: Sendable {
    /// The certificate and those of its issuers, in that order, in PEM (RFC 7468).
    public var certificateChain: [UInt8]
    /// The certificate's private key in PEM, without a password.
    public var privateKey: [UInt8]

    /// Creates an identity; whether both parts are in order and belong together shows when a server starts with it.
    public init(certificateChain: [UInt8], privateKey: [UInt8]) {
        self.certificateChain = certificateChain
        self.privateKey = privateKey
    }
}
