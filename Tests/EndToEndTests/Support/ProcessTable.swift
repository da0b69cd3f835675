import Foundation
import Glibc
import Synchronization

/// A process as /proc shows it.
///
/// A dead process has an entry until its parent reaps it.
struct ProcessEntry: Hashable {
    let pid: pid_t
    let parent: pid_t
    /// The start in clock ticks since boot.
    ///
    /// Together with the pid it identifies one process for ever.
    let startTime: UInt64
    let name: String
    let state: Character
}

/// The processes of this machine (proc(5)).
enum ProcessTable {
    static func all() -> [ProcessEntry] { pids().compactMap(entry) }

    /// Returns the children of a process, their children, and so on.
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

    /// Returns the processes that have a ``Marker`` in their arguments.
    ///
    /// A dead process has no arguments.
    static func running(_ marker: String) -> [pid_t] {
        let wanted = Array(marker.utf8)
        return pids().filter { (contents("/proc/\($0)/cmdline") ?? []).firstRange(of: wanted) != nil }
    }

    /// Returns true while this process exists, dead or alive, and not merely a later process with its pid.
    static func exists(_ process: ProcessEntry) -> Bool { entry(process.pid)?.startTime == process.startTime }

    /// Returns true while this process runs.
    ///
    /// A dead orphan waits for the machine's init, which may reap it late.
    static func isAlive(_ process: ProcessEntry) -> Bool {
        guard let now = entry(process.pid), now.startTime == process.startTime else { return false }
        return now.state != "Z" && now.state != "X"
    }

    static func entry(_ pid: pid_t) -> ProcessEntry? {
        guard let stat = contents("/proc/\(pid)/stat") else { return nil }
        let text = String(decoding: stat, as: UTF8.self)
        // The name is in parentheses and may contain any character.
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

    private static func pids() -> [pid_t] {
        (try? FileManager.default.contentsOfDirectory(atPath: "/proc"))?.compactMap { pid_t($0) } ?? []
    }

    // MARK: The resources of a process

    /// Returns a memory figure of `/proc/PID/status` in bytes.
    static func memory(_ field: String, of pid: pid_t) -> Int? {
        let lines = String(decoding: contents("/proc/\(pid)/status") ?? [], as: UTF8.self).split(separator: "\n")
        let words = lines.first { $0.hasPrefix(field + ":") }?.split { " \t".contains($0) } ?? []
        return words.count == 3 ? Int(words[1]).map { $0 * 1024 } : nil
    }

    /// Returns the numbers of the open descriptors.
    static func descriptors(of pid: pid_t) throws -> Set<String> {
        Set(try FileManager.default.contentsOfDirectory(atPath: "/proc/\(pid)/fd"))
    }

    /// Returns the number of open sockets.
    static func sockets(of pid: pid_t) throws -> Int {
        try descriptors(of: pid).count { name in
            Int(name).flatMap { target(ofDescriptor: $0, of: pid) }?.hasPrefix("socket:") == true
        }
    }

    /// Returns the file behind a descriptor.
    static func target(ofDescriptor number: Int, of pid: pid_t) -> String? {
        link("/proc/\(pid)/fd/\(number)")
    }

    /// Returns the number of mounts that a process sees.
    static func mounts(of pid: pid_t) -> Int {
        (contents("/proc/\(pid)/mountinfo") ?? []).count { $0 == UInt8(ascii: "\n") }
    }

    /// Returns the control groups of a server, in every hierarchy.
    static func cgroups(of server: pid_t) -> Set<String> {
        allCgroups().filter { $0.contains("/sandglass-\(server)-") }
    }

    private static func allCgroups() -> Set<String> {
        // FileManager's enumerator does not enter other file systems.
        var found: Set<String> = []
        var next = ["/sys/fs/cgroup"]
        while let directory = next.popLast() {
            guard let stream = opendir(directory) else { continue }
            defer { closedir(stream) }
            while let entry = readdir(stream) {
                guard entry.pointee.d_type == DT_DIR else { continue }
                let name = withUnsafeBytes(of: entry.pointee.d_name) {
                    String(decoding: $0.prefix { $0 != 0 }, as: UTF8.self)
                }
                guard name != ".", name != ".." else { continue }
                found.insert(directory + "/" + name)
                next.append(directory + "/" + name)
            }
        }
        return found
    }

    // MARK: Files

    /// Returns the target of a symbolic link.
    static func link(_ path: String) -> String? {
        try? FileManager.default.destinationOfSymbolicLink(atPath: path)
    }

    /// Reads a file of /proc, whose size is not known before; returns `nil` if it cannot be read.
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
}

/// Texts that no other process on this machine has in its arguments.
enum Marker {
    private static let counter = Atomic<Int>(0)

    /// Returns the duration of a sleep that only one test uses: some ten minutes, in seconds.
    static func nap() -> String { "600.\(1_000_000 + Int(getpid()))\(100 + next())" }

    /// Returns a word.
    static func word() -> String { "e2e-\(getpid())-\(next())-mark" }

    private static func next() -> Int { counter.add(1, ordering: .relaxed).newValue }
}

/// Polls a condition that nothing reports, such as the end of a foreign process.
///
/// - Parameters:
///   - seconds: A bound against hanging, far above the expected time.
///   - condition: The awaited condition.
/// - Returns: True if the condition became true in time.
func eventually(within seconds: Double = 30, _ condition: () throws -> Bool) rethrows -> Bool {
    let end = monotonicSeconds() + seconds
    while true {
        if try condition() { return true }
        guard monotonicSeconds() < end else { return false }
        usleep(1_000)
    }
}

/// Returns the time of CLOCK_MONOTONIC in seconds.
func monotonicSeconds() -> Double {
    var now = timespec()
    clock_gettime(CLOCK_MONOTONIC, &now)
    return Double(now.tv_sec) + Double(now.tv_nsec) / 1e9
}
