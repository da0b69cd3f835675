import Digests
import Foundation
import Testing

/// TLS, as curl sees it.
@Suite(.needs("openssl"), .needs("curl")) struct EncryptionTests {
    /// A certificate for `localhost` and 127.0.0.1, signed by itself.
    private func certificate(in folder: TemporaryFolder) throws -> (certificate: String, key: String) {
        let (certificate, key) = (folder.path + "/certificate.pem", folder.path + "/key.pem")
        let made = try ChildProcess([
            "openssl", "req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days",
            "2",
            "-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out",
            certificate,
        ]).finish()
        try #require(made.end == .exited(0), "\(made.diagnostics)")
        return (certificate, key)
    }

    /// What curl prints, and its status.
    private func curl(_ arguments: String...) throws -> ChildProcess.Finished {
        try ChildProcess(["curl", "--silent", "--show-error", "--max-time", "30"] + arguments).finish()
    }

    @Test func `runs are asked for by TLS and answered by it, and pages of the server's own origin are those of https`()
        throws
    {
        let folder = try TemporaryFolder()
        let (certificate, key) = try certificate(in: folder)
        let flags = ["--tls-certificate", certificate, "--tls-key", key]
        let server = try ServerProcess(flags, scheme: "https")
        let url = "https://localhost:\(server.port)"
        let ran = try curl(
            "--cacert",
            certificate,
            "-H",
            "Content-Type: application/json",
            "-H",
            "Origin: \(url)",
            "-d",
            #"{"command": ["echo", "hello"]}"#,
            url + "/runs?wait=30"
        )
        #expect(ran.end == .exited(0), "\(ran.diagnostics)")
        #expect(try JSONDecoder().decode(RunReply.self, from: Data(ran.output)).stdout.text == "hello\n")
        let foreign = try curl(
            "--cacert",
            certificate,
            "-H",
            "Origin: http://localhost:\(server.port)",
            "-o",
            "/dev/null",
            "-w",
            "%{http_code}",
            url + "/healthz"
        )
        #expect(String(decoding: foreign.output, as: UTF8.self) == "403")
        // Whoever does not know the certificate does not trust it, and an old protocol is not spoken.
        #expect(try curl(url + "/healthz").end == .exited(60))
        #expect(try curl("--cacert", certificate, "--tls-max", "1.1", url + "/healthz").end == .exited(35))
        #expect(try curl("http://localhost:\(server.port)/healthz").end != .exited(0))
        try server.stop()
    }

    @Test func `blobs go in and out, output is followed, and files are fetched by TLS`() throws {
        let folder = try TemporaryFolder()
        let (certificate, key) = try certificate(in: folder)
        let server = try ServerProcess(
            ["--tls-certificate", certificate, "--tls-key", key, "--concurrency", "1"],
            scheme: "https"
        )
        let url = "https://localhost:\(server.port)"
        func curl(_ arguments: String...) throws -> [UInt8] {
            let finished = try ChildProcess(
                ["curl", "--silent", "--show-error", "--fail", "--max-time", "60", "--cacert", certificate] + arguments
            ).finish()
            #expect(finished.end == .exited(0), "\(finished.diagnostics)")
            return finished.output
        }
        func post(_ body: String, _ query: String) throws -> RunReply {
            let answer = try curl("-H", "Content-Type: application/json", "-d", body, url + "/runs" + query)
            return try JSONDecoder().decode(RunReply.self, from: Data(answer))
        }
        let content = (0..<3_000_000).map { UInt8(truncatingIfNeeded: $0 &* $0 >> 7) }
        try Data(content).write(to: URL(filePath: folder.path + "/content"))
        let name = "sha256:\(SHA256Digest(of: content).hexadecimal)"
        _ = try curl("--upload-file", folder.path + "/content", "\(url)/blobs/\(name)")
        #expect(try curl("\(url)/blobs/\(name)") == content)
        // It waits for its turn while its followers are there already.
        let first = try post(#"{"command": ["sleep", "1"]}"#, "")
        let run = try post(
            #"{"command": ["sh", "-c", "cat; cp in out"], "stdin": {"blob": "\#(name)"}, "files": {"in": {"blob": "\#(name)"}},"#
                + #" "artifacts": ["out"], "limits": {"outputBytes": 4000000}}"#,
            ""
        )
        #expect(first.id != run.id)
        #expect(try curl("\(url)/runs/\(run.id)/stdout?follow=true") == content)
        let events = try curl("\(url)/runs/\(run.id)/events")
        #expect(String(decoding: events.suffix(2000), as: UTF8.self).contains("event: end"))
        #expect(try curl("\(url)/runs/\(run.id)/artifacts/out") == content)
        try server.stop()
    }

    @Test func `a certificate that is none, or another key's, is refused at the start`() throws {
        let (one, two) = (try TemporaryFolder(), try TemporaryFolder())
        let (first, second) = (try certificate(in: one), try certificate(in: two))
        let broken = one.path + "/broken.pem"
        try Data("-----BEGIN CERTIFICATE-----\n".utf8).write(to: URL(filePath: broken))
        for (certificate, key) in [
            (broken, first.key), (first.certificate, broken), (first.certificate, second.key),
            (first.certificate, "/no/such/key"),
        ] {
            let finished = try ChildProcess([
                Host.program, "serve", "--listen", "127.0.0.1:0", "--tls-certificate", certificate, "--tls-key", key,
            ]).finish()
            #expect(finished.end == .exited(1), "\(certificate) \(key)")
            #expect(finished.diagnostics.contains("cannot start"))
        }
    }
}
