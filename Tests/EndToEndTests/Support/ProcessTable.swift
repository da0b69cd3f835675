import Foundation
import Glibc

/// A process as /proc shows it; one that has ended but was not reaped is still there.
struct ProcessEntry: Hashable {
    let pid: pid_t
    let parent: pid_t
    /// When it started, in clock ticks since the boot: with the pid it names one process for ever.
    let startTime: UInt64
    let name: String
    let state: Character
}

/// What /proc says (proc(5)).
enum ProcessTable {
    static func all() -> [ProcessEntry] { pids().compactMap(entry) }

    /// The processes below a process: its children, theirs, and so on.
    static func descendants(of pid: pid_t) -> [ProcessEntry] {
        let children = Dictionary(grouping: all(), by: \.parent)
        var found: [ProcessEntry] = []
        var next = [pid]
        while let parent = next.popLast() {
            let entries = children[parent] ?? []
            found += entries
            next += entries.map(\.pid)
        }
        return found
    }

    /// The processes that have a ``Marker`` in their arguments; one that has ended has no arguments.
    static func running(_ marker: String) -> [pid_t] {
        let wanted = Array(marker.utf8)
        return pids().filter { (contents("/proc/\($0)/cmdline") ?? []).firstRange(of: wanted) != nil }
    }

    /// Whether this very process, and not a later one of its pid, is still there.
    static func isThere(_ process: ProcessEntry) -> Bool { entry(process.pid)?.startTime == process.startTime }

    /// Whether it still runs; an orphan that has ended waits for the machine's init to reap it, and not all do at once.
    static func isAlive(_ process: ProcessEntry) -> Bool {
        guard let now = entry(process.pid), now.startTime == process.startTime else { return false }
        return now.state != "Z" && now.state != "X"
    }

    /// What a descriptor of a process refers to.
    static func target(ofDescriptor number: Int, of pid: pid_t) -> String? {
        link("/proc/\(pid)/fd/\(number)")
    }

    /// Where a symbolic link of /proc leads.
    static func link(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    static func entry(_ pid: pid_t) -> ProcessEntry? {
        guard let stat = contents("/proc/\(pid)/stat") else { return nil }
        let text = String(decoding: stat, as: UTF8.self)
        // The name stands in parentheses and may hold anything.
        guard let open = text.firstIndex(of: "("), let close = text.lastIndex(of: ")") else { return nil }
        let fields = text[text.index(after: close)...].split(separator: " ")
        guard fields.count > 19, let parent = pid_t(fields[1]), let startTime = UInt64(fields[19]) else { return nil }
        return ProcessEntry(
            pid: pid,
            parent: parent,
            startTime: startTime,
            name: String(text[text.index(after: open)..<close]),
            state: fields[0].first ?? "?"
        )
    }

    /// A field of `/proc/PID/status` that is in kB, in bytes.
    static func memory(_ field: String, of pid: pid_t) -> Int? {
        let lines = String(decoding: contents("/proc/\(pid)/status") ?? [], as: UTF8.self).split(separator: "\n")
        let words = lines.first { $0.hasPrefix(field + ":") }?.split { " \t".contains($0) } ?? []
        return words.count == 3 ? Int(words[1]).map { $0 * 1024 } : nil
    }

    /// What a process has open.
    static func descriptors(of pid: pid_t) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd"))
    }

    /// How many of them are sockets.
    static func sockets(of pid: pid_t) throws -> Int {
        try descriptors(of: pid).count { name in
            Int(name).flatMap { target(ofDescriptor: $0, of: pid) }?.hasPrefix("socket:") == true
        }
    }

    static func mounts(of pid: pid_t) -> Int { lines("/proc/\(pid)/mountinfo") }

    /// Every folder of every cgroup hierarchy.
    static func cgroups(of server: pid_t) -> Set<String> {
        allCgroups().filter { $0.contains("/sandglass-\(server)-") }
    }

    private static func allCgroups() -> Set<String> {
        // Not FileManager's enumerator: it does not go into other file systems.
        var found: Set<String> = []
        var next = ["/sys/fs/cgroup"]
        while let folder = next.popLast() {
            guard let stream = opendir(folder) else { continue }
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                guard entry.pointee.d_type == DT_DIR else { continue }
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard name != ".", name != ".." else { continue }
                found.insert(folder + "/" + name)
                next.append(folder + "/" + name)
            }
        }
        return found
    }

    static func lines(_ path: String) -> Int { (contents(path) ?? []).count { $0 == UInt8(ascii: "\n") } }

    /// The bytes of a file of /proc, which has no size; `nil` if it cannot be read.
    static func contents(_ path: String) -> [UInt8]? {
        let file = open(path, O_RDONLY | O_CLOEXEC)
        guard file >= 0 else { return nil }
        defer { close(file) }
        var bytes: [UInt8] = []
        while true {
            let part = [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
                count = max(read(file, buffer.baseAddress, buffer.count), 0)
            }
            if part.isEmpty { return bytes }
            bytes += part
        }
    }

    private static func pids() -> [pid_t] {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    }
}
