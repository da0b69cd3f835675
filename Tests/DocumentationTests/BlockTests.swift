import Testing

/// Tests that every block of code without a test is listed, with a reason.
struct BlockTests {
    /// A shell block that cannot run in a test, by its document and its first line.
    private struct Exemption: Hashable {
        let path: String
        let firstLine: String
    }

    private static let exemptions: [Exemption: String] = [
        Exemption(
            path: "README.md",
            firstLine: "make serve     # installs missing packages, builds in release mode, listens on 127.0.0.1:8080"
        ):
            "It builds the project; .ci/run runs both commands.",
        Exemption(
            path: "docs/authentication.md",
            firstLine: "sandglass serve --tokens /etc/sandglass/tokens.json --listen 192.0.2.7:8443 \\"
        ):
            "It listens on an address of another machine; EncryptionTests serve with TLS.",
        Exemption(path: "docs/cli.md", firstLine: "sandglass serve --data-directory /var/lib/sandglass"):
            "It does not end; every page runs against a server.",
        Exemption(
            path: "docs/development.md",
            firstLine: "swift build --build-tests --explicit-target-dependency-import-check error"
        ):
            "It builds the project and runs its tests.",
        Exemption(path: "docs/durability.md", firstLine: "sandglass serve --data-directory /var/lib/sandglass"):
            "It does not end; the blocks after it run against such a server.",
        Exemption(
            path: "docs/operations.md",
            firstLine: "sandglass serve --tokens /etc/sandglass/tokens.json --data-directory /var/lib/sandglass \\"
        ):
            "It does not end and needs the machine's directories.",
        Exemption(
            path: "docs/operations.md",
            firstLine: "install -m 755 .build-release/release/sandglass /usr/local/bin/"
        ):
            "It installs into the machine and needs systemd.",
        Exemption(path: "docs/operations.md", firstLine: "make image"):
            "It needs a container engine; Docker/test runs it.",
        Exemption(path: "docs/sandbox.md", firstLine: "debootstrap --variant=minbase bookworm /srv/bookworm"):
            "It downloads a distribution; ImageTests make an image of their own.",
    ]

    /// Languages that are no commands.
    private static let passive: Set = ["", "swift", "nginx", "haproxy"]

    @Test func `every shell block that is not run has a reason`() throws {
        var found: Set<Exemption> = []
        for path in Document.manual {
            for block in try Document(path: path).blocks where block.language != "console" {
                if block.language == "sh" {
                    found.insert(Exemption(path: path, firstLine: block.lines.first ?? ""))
                } else {
                    #expect(
                        Self.passive.contains(block.language),
                        "\(path):\(block.line): mark commands as console, or as sh with a reason in this test"
                    )
                    #expect(
                        !block.lines.contains { $0.hasPrefix("$ ") },
                        "\(path):\(block.line): a block with commands must be marked console"
                    )
                }
            }
        }
        for block in found.subtracting(Self.exemptions.keys) {
            Issue.record("\(block.path): no test runs the block that begins with \(block.firstLine)")
        }
        for block in Set(Self.exemptions.keys).subtracting(found) {
            Issue.record("\(block.path) has no block any more that begins with \(block.firstLine)")
        }
    }

    @Test func `no fence is indented, because its block would not be seen`() throws {
        for path in Document.manual {
            for (index, line) in try Document(path: path).lines.enumerated() {
                #expect(line.firstMatch(of: /^\s+```/) == nil, "\(path):\(index + 1)")
            }
        }
    }
}
