import Foundation
import Testing

/// A file of tokens, made by the real command, in a folder that everybody may read.
final class TokenFolder {
    private let folder: TemporaryFolder

    init() throws { folder = try TemporaryFolder() }

    var path: String { folder.path + "/tokens.json" }

    /// Adds a principal, and gives its token.
    @discardableResult
    func add(_ name: String, _ flags: String...) throws -> String {
        let finished = try run(["add", name] + flags)
        try #require(finished.end == .exited(0), "\(finished.diagnostics)")
        return String(decoding: finished.output, as: UTF8.self).trimmingCharacters(in: .newlines)
    }

    /// `sandglass token …` on this file.
    func run(_ arguments: [String]) throws -> ChildProcess.Finished {
        try ChildProcess([Host.program, "token"] + arguments + ["--tokens", path]).finish()
    }

    func write(_ text: String) throws { try Data(text.utf8).write(to: URL(filePath: path), options: .atomic) }
}
