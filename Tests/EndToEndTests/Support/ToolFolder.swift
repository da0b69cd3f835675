import Foundation
import Glibc

/// A folder of the host outside of what commands see, with `tools/below/file` in it; removed when it is let go.
final class ToolFolder {
    let path: String
    var tools: String { path + "/tools" }

    init() throws {
        path = (Host.isRoot ? "/srv" : NSHomeDirectory()) + "/sandglass-e2e-\(UUID().uuidString)"
        try FileManager.default.createDirectory(atPath: path + "/tools/below", withIntermediateDirectories: true)
        try Data("of the host\n".utf8).write(to: URL(filePath: tools + "/below/file"))
        for part in [path, tools, tools + "/below"] { chmod(part, 0o755) }
    }

    deinit { try? FileManager.default.removeItem(atPath: path) }
}
