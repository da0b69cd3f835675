package import CoreMetrics
internal import Glibc
internal import System

/// The process metrics that every Prometheus client library exports, under their usual names (proc(5), getrlimit(2)).
///
/// The values are read only when ``update()`` is called.
package struct ProcessMetrics: Sendable {
    /// The families of the metrics.
    package static let families = [
        MetricFamily(
            "process_cpu_seconds_total",
            .counter,
            "User and system CPU time of this process in seconds."
        ),
        MetricFamily("process_max_fds", .gauge, "Maximum number of open file descriptors of this process."),
        MetricFamily("process_open_fds", .gauge, "Number of open file descriptors of this process."),
        MetricFamily("process_resident_memory_bytes", .gauge, "Resident memory of this process in bytes."),
        MetricFamily(
            "process_start_time_seconds",
            .gauge,
            "Start time of this process in seconds since the Unix epoch."
        ),
        MetricFamily("process_virtual_memory_bytes", .gauge, "Virtual memory of this process in bytes."),
    ]

    private let processor: Meter
    private let descriptorLimit: Meter
    private let descriptors: Meter
    private let resident: Meter
    private let virtual: Meter

    /// Creates the metrics.
    package init(factory: any MetricsFactory) {
        processor = Meter(label: "process_cpu_seconds_total", factory: factory)
        descriptorLimit = Meter(label: "process_max_fds", factory: factory)
        descriptors = Meter(label: "process_open_fds", factory: factory)
        resident = Meter(label: "process_resident_memory_bytes", factory: factory)
        virtual = Meter(label: "process_virtual_memory_bytes", factory: factory)
        Meter(label: "process_start_time_seconds", factory: factory).set(Self.startTime)
    }

    /// Reads the current values.
    package func update() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        processor.set(Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        descriptorLimit.set(Double(limit.rlim_cur))
        descriptors.set(Self.openDescriptors)
        let pages = ProcFile.numbers("/proc/self/statm")
        guard pages.count > 1 else { return }
        let pageBytes = sysconf(Int32(_SC_PAGESIZE))
        virtual.set(pages[0] * pageBytes)
        resident.set(pages[1] * pageBytes)
    }

    private static var openDescriptors: Int {
        var count = 0
        try? DirectoryEntry.forEach(at: "/proc/self/fd") { _ in count += 1 }
        // The count must not include the descriptor of the directory itself.
        return max(count - 1, 0)
    }

    /// The start time of the process: its ticks since boot plus the boot time (proc(5), `starttime` and `btime`).
    private static var startTime: Double {
        // The second field is a name in parentheses that may contain any character.
        let fields = ProcFile.text("/proc/self/stat").split(separator: ")").last?.split(separator: " ") ?? []
        let boot = ProcFile.text("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
        guard fields.count > 19, let ticks = Double(fields[19]), let boot = boot.flatMap({ Double($0.dropFirst(6)) })
        else {
            return 0
        }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}

/// A reader of small files in /proc.
private enum ProcFile {
    /// Returns the text of a file; empty if it cannot be read.
    static func text(_ path: String) -> String {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC)
        guard descriptor >= 0 else { return "" }
        defer { close(descriptor) }
        var bytes: [UInt8] = []
        while true {
            let part = [UInt8](unsafeUninitializedCapacity: 16 << 10) { buffer, count in
                count = max(0, read(descriptor, buffer.baseAddress, buffer.count))
            }
            if part.isEmpty { return String(decoding: bytes, as: UTF8.self) }
            bytes += part
        }
    }

    /// Returns the numbers in a file.
    static func numbers(_ path: String) -> [Int] { text(path).split { $0 == " " || $0 == "\n" }.compactMap { Int($0) } }
}
