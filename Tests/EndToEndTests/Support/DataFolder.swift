import Foundation

/// A data directory that outlives the servers that use it, one after the other.
final class DataFolder {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var path: String { folder.path + "/data" }

    var database: String { path + "/sandglass.sqlite" }

    /// The output that is kept in files.
    var outputs: [String] { (try? FileManager.default.contentsOfDirectory(atPath: path + "/output")) ?? [] }

    /// Every file in it, and what it holds.
    func contents() throws -> [String: Data] {
        let names = try FileManager.default.subpathsOfDirectory(atPath: path)
        return Dictionary(
            uniqueKeysWithValues: names.compactMap { name in
                FileManager.default.contents(atPath: path + "/" + name).map { (name, $0) }
            }
        )
    }

    /// Starts a server on it.
    func server(_ flags: String..., environment: [String: String] = [:]) throws -> ServerProcess {
        try ServerProcess(["--data-directory", path] + flags, environment: environment)
    }
}
