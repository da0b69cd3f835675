import Glibc
import Testing

@testable import Sandbox

@Suite struct HostViewTests {
    private let entries = HostView.entries(user: 1234, hostName: "inside")

    @Test func `each entry's folder stands before it`() {
        var folders: Set<String> = ["/"]
        for entry in entries {
            let end = entry.path.lastIndex(of: "/") ?? entry.path.startIndex
            let parent = end == entry.path.startIndex ? "/" : String(entry.path[..<end])
            #expect(folders.contains(parent), "\(entry.path)")
            switch entry {
            case .directory(let path), .deviceFolder(let path), .bind(_, let path): folders.insert(path)
            case .bindFile, .device, .file, .symbolicLink: break
            }
        }
    }

    @Test func `no path stands there twice`() {
        let paths = entries.map(\.path)
        #expect(Set(paths).count == paths.count)
    }

    @Test func `only what exists is shown`() {
        for entry in entries {
            switch entry {
            case .bind(let host, _): #expect(HostFile.canonicalPath(of: host) == host)
            case .device(let path): #expect(access(path, F_OK) == 0, "\(path)")
            case .bindFile, .directory, .deviceFolder, .file, .symbolicLink: break
            }
        }
    }

    @Test func `every path is absolute and plain`() {
        for path in entries.map(\.path) {
            #expect(path.hasPrefix("/") && !path.hasSuffix("/") && !path.contains("//") && !path.contains("/../"))
        }
    }

    @Test(arguments: [
        "/etc/shadow", "/etc/gshadow", "/etc/machine-id", "/etc/ssh", "/etc/ssl/private", "/etc/ssl", "/home", "/root",
        "/var/lib", "/sys", "/boot", "/opt", "/srv", "/mnt", "/",
    ])
    func `nothing tells about the host`(path: String) {
        for entry in entries {
            switch entry {
            case .bind(let host, let place), .bindFile(let host, let place): #expect(host != path && place != path)
            case .file(let place, _, _), .device(let place), .symbolicLink(let place, _): #expect(place != path)
            case .directory, .deviceFolder: break
            }
        }
    }

    @Test func `the password file knows the command's user and not the host's`() throws {
        let password = try #require(text(of: "/etc/passwd"))
        #expect(password.contains("box:x:1234:1234:"))
        #expect(password.split(separator: "\n").count == 3)
        #expect(try #require(text(of: "/etc/hostname")) == "inside\n")
    }

    @Test func `what programs need is there`() {
        let paths = Set(entries.map(\.path))
        #expect(paths.isSuperset(of: ["/usr", "/dev/null", "/dev/shm", "/proc", "/tmp", "/box", "/etc/hosts"]))
    }

    private func text(of path: String) -> String? {
        for case .file(path, let contents, _) in entries { return String(decoding: contents, as: UTF8.self) }
        return nil
    }
}
