import Foundation
import HTTPServer
import Testing

/// A certificate for this machine that nobody else trusts, made anew, with its key.
final class Certificate {
    let folder: URL
    let identity: TLSIdentity

    /// The certificate's file, as clients want it.
    var path: String { folder.appendingPathComponent("certificate.pem").path }

    init() throws {
        folder = FileManager.default.temporaryDirectory.appendingPathComponent("sandglass-tls-\(UUID().uuidString)")
        try FileManager.default.createDirectory(at: folder, withIntermediateDirectories: true)
        let key = folder.appendingPathComponent("key.pem")
        let certificate = folder.appendingPathComponent("certificate.pem")
        let made = try Program(
            "openssl",
            ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
                + ["-keyout", key.path, "-out", certificate.path, "-subj", "/CN=localhost"]
                + ["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"]
        ).finish()
        try #require(made.status == 0, "\(made.error)")
        identity = TLSIdentity(
            certificateChain: Array(try Data(contentsOf: certificate)),
            privateKey: Array(try Data(contentsOf: key))
        )
    }

    deinit { try? FileManager.default.removeItem(at: folder) }
}
