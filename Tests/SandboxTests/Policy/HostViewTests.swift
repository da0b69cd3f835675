import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct HostViewTests {
    private let entries = HostView.entries(user: 1234, hostName: "inside")

    @Test func `each entry follows its parent directory`() {
        var directories: Set<String> = ["/"]
        for entry in entries {
            let end = entry.path.lastIndex(of: "/") ?? entry.path.startIndex
            let parent = end == entry.path.startIndex ? "/" : String(entry.path[..<end])
            #expect(directories.contains(parent), "\(entry.path)")
            switch entry {
            case .directory(let path), .deviceDirectory(let path), .bind(_, let path): directories.insert(path)
            case .bindFile, .device, .file, .symbolicLink: break
            }
        }
    }

    @Test func `no path is listed twice`() {
        let paths = entries.map(\.path)
        #expect(Set(paths).count == paths.count)
    }

    @Test func `every entry of the host exists`() {
        for entry in entries {
            switch entry {
            case .bind(let host, _): #expect(HostFile.canonicalPath(of: host) == host)
            case .device(let path): #expect(access(path, F_OK) == 0, "\(path)")
            case .bindFile, .directory, .deviceDirectory, .file, .symbolicLink: break
            }
        }
    }

    @Test func `every path is absolute and normalized`() {
        for path in entries.map(\.path) {
            #expect(path.hasPrefix("/") && !path.hasSuffix("/") && !path.contains("//") && !path.contains("/../"))
        }
    }

    @Test(arguments: [
        "/etc/shadow", "/etc/gshadow", "/etc/machine-id", "/etc/ssh", "/etc/ssl/private", "/etc/ssl", "/home", "/root",
        "/var/lib", "/sys", "/boot", "/opt", "/srv", "/mnt", "/",
    ])
    func `no entry reveals private files of the host`(path: String) {
        for entry in entries {
            switch entry {
            case .bind(let host, let target), .bindFile(let host, let target): #expect(host != path && target != path)
            case .file(let target, _, _), .device(let target), .symbolicLink(let target, _): #expect(target != path)
            case .directory, .deviceDirectory: break
            }
        }
    }

    @Test func `the password file has the command's user and none of the host's`() throws {
        let password = try #require(text(of: "/etc/passwd"))
        #expect(password.contains("box:x:1234:1234:"))
        #expect(password.split(separator: "\n").count == 3)
        #expect(try #require(text(of: "/etc/hostname")) == "inside\n")
    }

    @Test func `the paths that programs need exist`() {
        let paths = Set(entries.map(\.path))
        #expect(paths.isSuperset(of: ["/usr", "/dev/null", "/dev/shm", "/proc", "/tmp", "/box", "/etc/hosts"]))
    }

    private func text(of path: String) -> String? {
        for case .file(path, let contents, _) in entries { return String(decoding: contents, as: UTF8.self) }
        return nil
    }
}

struct DirectoryCopyTests {
    private func copy(of directory: ScratchDirectory) -> [SandboxEntry]? {
        DirectoryCopy(of: directory.path, at: "/etc/x")?.entries
    }

    @Test func `directories, files and links are copied unchanged`() throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("b", "text")
        try directory.makeFile("run", "", mode: 0o755)
        #expect(mkdir(directory.path + "/a", 0o755) == 0 && symlink("../b", directory.path + "/a/link") == 0)
        #expect(
            copy(of: directory) == [
                .directory("/etc/x"), .directory("/etc/x/a"), .symbolicLink("/etc/x/a/link", to: "../b"),
                .file("/etc/x/b", contents: Array("text".utf8)), .file("/etc/x/run", contents: [], isExecutable: true),
            ]
        )
    }

    @Test func `entries that not every user may read are left out`() throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("secret", "password", mode: 0o640)
        #expect(mkdir(directory.path + "/private", 0o700) == 0)
        try directory.makeFile("private/file", "password")
        #expect(mkfifo(directory.path + "/pipe", 0o666) == 0)
        #expect(copy(of: directory) == [.directory("/etc/x")])
    }

    @Test func `a large directory is not copied`() throws {
        let directory = try ScratchDirectory()
        try #expect(truncate(directory.makeFile("large", ""), 3 << 20) == 0)
        #expect(copy(of: directory) == nil)
    }

    @Test func `a directory with many entries is not copied`() throws {
        let directory = try ScratchDirectory()
        for number in 0..<2001 { #expect(symlink("x", directory.path + "/\(number)") == 0) }
        #expect(copy(of: directory) == nil)
    }
}
