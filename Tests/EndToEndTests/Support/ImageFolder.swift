import Foundation
import Glibc

/// A root file system with a few programs of this host and a file that says which one it is; removed when it is let go.
final class ImageFolder {
    let path: String

    init(_ mark: String, folders: [String] = []) throws {
        path = (Host.isRoot ? "/srv" : NSHomeDirectory()) + "/sandglass-e2e-\(UUID().uuidString)"
        try make("bin")
        for program in [
            "sh", "cat", "ls", "id", "head", "touch", "grep", "cut", "mkdir", "test", "mv", "rm", "chmod", "ln",
            "readlink",
            "true",
        ] {
            try copy(Self.canonical("/usr/bin/" + program), to: "/bin/" + program)
            for library in try Self.libraries(of: "/usr/bin/" + program) {
                try copy(Self.canonical(library), to: library)
            }
        }
        for folder in folders { try make(folder) }
        try Data((mark + "\n").utf8).write(to: URL(filePath: path + "/mark"))
        chmod(path, 0o755)
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }

    /// Everything in it that can be told from outside: modes, owners, sizes, times, names and where links point.
    func listing() throws -> String { try ChildProcess(["ls", "-AlR", "--time-style=full-iso", path]).finish().text }

    /// What stands at its top, which nobody may add to.
    var names: [String] { ((try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []).sorted() }

    private func make(_ folder: String) throws {
        try FileManager.default.createDirectory(atPath: path + "/" + folder, withIntermediateDirectories: true)
    }

    private func copy(_ file: String, to place: String) throws {
        guard !FileManager.default.fileExists(atPath: path + place) else { return }
        try make((place as NSString).deletingLastPathComponent)
        try FileManager.default.copyItem(atPath: file, toPath: path + place)
    }

    private static func canonical(_ file: String) -> String {
        URL(filePath: file).resolvingSymlinksInPath().path()
    }

    private static func libraries(of program: String) throws -> [String] {
        let output = try ChildProcess(["ldd", program]).finish().text
        return output.split(whereSeparator: \.isWhitespace).map(String.init).filter { $0.hasPrefix("/") }
    }
}
