public import CoreMetrics
internal import Glibc

/// What every Prometheus client says of its process, under the usual names (proc(5), getrlimit(2)).
///
/// Looked up when it is asked for, and only then.
public struct ProcessMetrics: Sendable {
    /// Their families.
    public static let families = [
        MetricFamily(
            "process_cpu_seconds_total",
            .counter,
            "Processor time of this process, user and system, in seconds."
        ),
        MetricFamily("process_max_fds", .gauge, "How many descriptors this process may have open."),
        MetricFamily("process_open_fds", .gauge, "How many descriptors this process has open."),
        MetricFamily("process_resident_memory_bytes", .gauge, "Memory of this process that is in RAM, in bytes."),
        MetricFamily("process_start_time_seconds", .gauge, "When this process was started, in seconds since 1970."),
        MetricFamily("process_virtual_memory_bytes", .gauge, "Addresses that this process has in use, in bytes."),
    ]

    private let processor: Meter
    private let mostDescriptors: Meter
    private let descriptors: Meter
    private let resident: Meter
    private let virtual: Meter

    /// Makes them.
    public init(factory: any MetricsFactory) {
        processor = Meter(label: "process_cpu_seconds_total", factory: factory)
        mostDescriptors = Meter(label: "process_max_fds", factory: factory)
        descriptors = Meter(label: "process_open_fds", factory: factory)
        resident = Meter(label: "process_resident_memory_bytes", factory: factory)
        virtual = Meter(label: "process_virtual_memory_bytes", factory: factory)
        Meter(label: "process_start_time_seconds", factory: factory).set(Self.startTime)
    }

    /// Looks them up.
    public func update() {
        var time = timespec()
        clock_gettime(CLOCK_PROCESS_CPUTIME_ID, &time)
        processor.set(Double(time.tv_sec) + Double(time.tv_nsec) / 1e9)
        var limit = rlimit()
        getrlimit(__rlimit_resource_t(RLIMIT_NOFILE.rawValue), &limit)
        mostDescriptors.set(Double(limit.rlim_cur))
        descriptors.set(Self.openDescriptors)
        let pages = ProcFile.numbers("/proc/self/statm")
        guard pages.count > 1 else { return }
        let pageBytes = sysconf(Int32(_SC_PAGESIZE))
        virtual.set(pages[0] * pageBytes)
        resident.set(pages[1] * pageBytes)
    }

    private static var openDescriptors: Int {
        guard let folder = opendir("/proc/self/fd") else { return 0 }
        defer { closedir(folder) }
        var count = 0
        while readdir(folder) != nil { count += 1 }
        // Not `.`, `..` and the folder itself.
        return max(count - 3, 0)
    }

    /// When the process was started: so many ticks after the machine was (proc(5), `starttime` and `btime`).
    private static var startTime: Double {
        // The second field is a name in parentheses, which may hold anything.
        let fields = ProcFile.text("/proc/self/stat").split(separator: ")").last?.split(separator: " ") ?? []
        let boot = ProcFile.text("/proc/stat").split(separator: "\n").first { $0.hasPrefix("btime ") }
        guard fields.count > 19, let ticks = Double(fields[19]), let boot = boot.flatMap({ Double($0.dropFirst(6)) })
        else {
            return 0
        }
        return boot + ticks / Double(sysconf(Int32(_SC_CLK_TCK)))
    }
}
