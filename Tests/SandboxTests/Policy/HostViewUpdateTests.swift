import Glibc
import System
import TestSupport
import Testing

@testable import Sandbox

@Suite struct HostViewUpdateTests {
    private let root: ScratchDirectory

    init() throws {
        root = try ScratchDirectory()
        for directory in ["/etc", "/var", "/var/lib"] { try #require(mkdir(root.path + directory, 0o755) == 0) }
    }

    private func update(mounts: Set<String> = []) throws -> HostViewUpdate {
        let descriptor = open(root.path, O_RDONLY | O_DIRECTORY | O_CLOEXEC)
        try #require(descriptor >= 0)
        return HostViewUpdate(
            root: Descriptor(owning: descriptor),
            mounts: mounts,
            configuration: SandboxConfiguration()
        )
    }

    private func text(_ path: String) -> String? {
        HostFile.contents(of: root.path + path, atMost: 1000).map { String(decoding: $0, as: UTF8.self) }
    }

    private static func file(_ path: String, _ text: String) -> SandboxEntry { .file(path, contents: Array(text.utf8)) }

    @Test func `each kind of entry can take the place of each other kind`() throws {
        let kinds: [[SandboxEntry]] = [
            [], [Self.file("/etc/a", "text")], [.symbolicLink("/etc/a", to: "b")],
            [.directory("/etc/a"), Self.file("/etc/a/inside", "text")],
            [.directory("/etc/a"), .directory("/etc/a/b"), Self.file("/etc/a/b/c", "deep")],
        ]
        let update = try update()
        for first in kinds {
            for second in kinds {
                _ = try update.apply([.directory("/etc")] + first)
                _ = try update.apply([.directory("/etc")] + second)
                let again = try update.apply([.directory("/etc")] + second)
                #expect(again == HostViewUpdate.Difference(), "\(first) then \(second)")
            }
        }
    }

    @Test func `only /etc and /var/lib are written, and nothing else is removed`() throws {
        try #require(mkdir(root.path + "/usr", 0o755) == 0)
        let difference = try update().apply([
            .directory("/etc"), Self.file("/top", ""), Self.file("/usr/a", ""), Self.file("/etcetera", ""),
            Self.file("/var/lib/a", "shown"),
        ])
        #expect(difference.changed == 1 && difference.removed == 0)
        #expect(ScratchDirectory.names(in: root.path) == ["etc", "usr", "var"])
        #expect(text("/var/lib/a") == "shown")
    }

    @Test func `a mount and all below it stay as they are`() throws {
        for path in ["/etc/big", "/etc/part", "/etc/part/big"] { try #require(mkdir(root.path + path, 0o755) == 0) }
        let update = try update(mounts: ["/etc/big", "/etc/part/big"])
        #expect(try update.apply([.directory("/etc")]) == HostViewUpdate.Difference())
        #expect(try update.apply([.directory("/etc"), Self.file("/etc/big/a", "")]) == HostViewUpdate.Difference())
    }

    @Test func `a directory that would have to be mounted is named and left as it is`() throws {
        let update = try update()
        let small: [SandboxEntry] = [.directory("/etc"), .directory("/etc/a"), Self.file("/etc/a/b", "old")]
        _ = try update.apply(small)
        let difference = try update.apply([.directory("/etc"), .bind(host: "/etc/a", at: "/etc/a")])
        #expect(difference.needRestart == ["/etc/a"] && difference.changed == 0 && difference.removed == 0)
        #expect(text("/etc/a/b") == "old")
    }

    @Test func `no link in the view leads an update out of it`() throws {
        let outside = try ScratchDirectory()
        for target in [outside.path, "../../..", "/"] {
            unlink(root.path + "/etc/a")
            try #require(symlink(target, root.path + "/etc/a") == 0)
            // The link is replaced by the directory that is wanted in its place, or refused.
            _ = try? update().apply([Self.file("/etc/a/b", "escaped")])
            _ = try? update().apply([.symbolicLink("/etc/a", to: target), Self.file("/etc/a/b", "escaped")])
            #expect(ScratchDirectory.names(in: outside.path) == [])
            #expect(access("/b", F_OK) != 0)
        }
    }
}
