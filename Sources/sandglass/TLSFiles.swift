internal import HTTPServer
internal import Settings

/// Where a server's certificates and their key are.
struct TLSFiles {
    /// A chain is some kilobytes.
    private static let mostBytes = 1 << 20

    let certificate: String
    let key: String

    /// Reads both; whether they belong together shows when the server starts.
    func read() throws(SettingError) -> TLSIdentity {
        TLSIdentity(certificateChain: try Self.read(certificate), privateKey: try Self.read(key))
    }

    private static func read(_ path: String) throws(SettingError) -> [UInt8] {
        do throws(SettingError) {
            return try OperatorFile.contents(of: path, atMost: mostBytes)
        } catch {
            throw SettingError("\(path) cannot be used: \(error)")
        }
    }
}
