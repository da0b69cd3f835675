import Glibc
import Telemetry
import TestSupport
import Testing

@Suite(.serialized) struct ProcessMetricsTests {
    private func read(_ registry: PrometheusRegistry, _ metrics: ProcessMetrics) throws -> MetricsText {
        metrics.update()
        return try MetricsText(String(decoding: registry.render(), as: UTF8.self))
    }

    @Test func `descriptors are counted exactly, and the other values are plausible for this process`() throws {
        let registry = PrometheusRegistry(ProcessMetrics.families)
        let metrics = ProcessMetrics(factory: registry)
        let before = try read(registry, metrics)
        #expect(before.families.allSatisfy { $0.help != nil })
        let descriptors = (0..<7).map { _ in open("/dev/null", O_RDONLY | O_CLOEXEC) }
        let after = try read(registry, metrics)
        for descriptor in descriptors { close(descriptor) }
        try #expect(#require(after.value("process_open_fds")) == #require(before.value("process_open_fds")) + 7)
        let resident = try #require(after.value("process_resident_memory_bytes"))
        #expect(resident > 1_048_576)
        try #expect(#require(after.value("process_virtual_memory_bytes")) > resident)
        try #expect(
            #require(after.value("process_cpu_seconds_total")) >= #require(before.value("process_cpu_seconds_total"))
        )
        let started = try #require(after.value("process_start_time_seconds"))
        let now = Double(time(nil))
        #expect(started > now - 86_400 && started <= now + 1)
    }
}
