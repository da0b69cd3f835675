internal import Glibc

/// The children of this process.
package enum ChildProcesses {
    /// True if there is a child, running or dead and not yet waited for.
    package static var exist: Bool {
        var information = siginfo_t()
        return waitid(P_ALL, 0, &information, WEXITED | WNOHANG | WNOWAIT) == 0
    }

    /// Waits until a child is dead, without reaping it.
    package static func awaitDeath(of pid: Int32) {
        var information = siginfo_t()
        while waitid(P_PID, id_t(pid), &information, WEXITED | WNOWAIT) < 0, errno == EINTR {}
    }

    /// Returns all descendants of a process.
    package static func below(_ pid: Int32) -> [Int32] {
        var found: [Int32] = []
        guard let directory = opendir("/proc") else { return [] }
        defer { closedir(directory) }
        var parents: [Int32: Int32] = [:]
        while let entry = readdir(directory) {
            let name = withUnsafePointer(to: &entry.pointee.d_name) {
                $0.withMemoryRebound(to: CChar.self, capacity: 256) { String(cString: $0) }
            }
            guard let process = Int32(name), let stat = text("/proc/\(process)/stat") else { continue }
            // Behind the name, which may hold anything.
            let fields = stat[(stat.lastIndex(of: ")") ?? stat.startIndex)...].split(separator: " ")
            if fields.count > 2 { parents[process] = Int32(fields[2]) }
        }
        var next = [pid]
        while let parent = next.popLast() {
            let children = parents.filter { $0.value == parent }.map(\.key)
            found += children
            next += children
        }
        return found
    }

    /// Returns the name of a process (proc(5), comm).
    package static func name(of pid: Int32) -> String? {
        text("/proc/\(pid)/comm").map { String($0.dropLast()) }
    }

    private static func text(_ path: String) -> String? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var buffer = [UInt8](repeating: 0, count: 1024)
        let count = read(file, &buffer, buffer.count)
        return count > 0 ? String(decoding: buffer.prefix(count), as: UTF8.self) : nil
    }
}
