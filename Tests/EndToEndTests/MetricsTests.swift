import Foundation
import Glibc
import TestSupport
import Testing

/// `GET /metrics`: what is counted, from outside.
struct MetricsTests {
    private func scrape(_ server: ServerProcess) throws -> MetricsText {
        let answer = try server.get("/metrics")
        try #require(answer.status == 200)
        return try MetricsText(answer.text)
    }

    private func outcomes(_ server: ServerProcess) throws -> [String: Double] {
        try scrape(server).values("sandglass_runs_total", by: "outcome").filter { $0.value > 0 }
    }

    @Test func `every number has a name, a unit and a meaning, and is read by a strict reader`() throws {
        try withServer { server in
            let answer = try server.get("/metrics")
            #expect(answer.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let metrics = try MetricsText(answer.text)
            for family in metrics.families {
                #expect(family.help != nil, "\(family.name)")
                let isOurs = family.name.hasPrefix("sandglass_") || family.name.hasPrefix("process_")
                #expect(isOurs)
            }
            for name in [
                "sandglass_runs_total", "sandglass_runs_accepted_total", "sandglass_runs_rejected_total",
                "sandglass_runs_running", "sandglass_queue_depth", "sandglass_queue_wait_seconds",
                "sandglass_run_duration_seconds", "sandglass_spawn_duration_seconds", "sandglass_output_bytes_total",
                "sandglass_http_request_duration_seconds", "sandglass_http_connections",
                "sandglass_http_request_bytes_total", "sandglass_http_response_bytes_total", "sandglass_slots_ready",
                "sandglass_store_commit_duration_seconds", "sandglass_store_runs", "sandglass_store_bytes",
                "sandglass_blobs", "sandglass_blob_bytes",
                "sandglass_build_info", "sandglass_log_lines_dropped_total", "process_start_time_seconds",
                "process_resident_memory_bytes", "process_open_fds", "process_max_fds", "process_cpu_seconds_total",
            ] {
                #expect(metrics.families.contains { $0.name == name }, "\(name)")
            }
            #expect(metrics.families.first { $0.name == "sandglass_build_info" }?.samples[0].value == 1)
            let descriptors = try FileManager.default.contentsOfDirectory(atPath: "/proc/\(server.pid)/fd").count
            try #expect(abs(#require(metrics.value("process_open_fds")) - Double(descriptors)) <= 3)
            let client = try server.client()
            try client.request("HEAD", "/metrics")
            try #expect(client.answer(toHead: true).status == 200)
            try #expect(server.send("POST", "/metrics").status == 405)
        }
    }

    @Test func `each outcome is counted once, and so are bytes and durations`() throws {
        try withServer { server in
            for _ in 0..<3 { _ = try server.shell("printf 12345; printf 123 >&2; exit 7") }
            _ = try server.shell("kill -9 $$")
            _ = try server.run(["sleep", "60"], ["timeoutSeconds": 0.1])
            _ = try server.run(["yes"], ["limits": ["outputBytes": 100], "onOutputLimit": "kill"])
            _ = try server.run(["/nowhere"])
            let napping = try server.submit(["sleep", "600"], ["timeoutSeconds": 700])
            try #require(eventually { try scrape(server).value("sandglass_runs_running") == 1 })
            _ = try server.send("POST", "/runs/\(napping.id)/cancel")
            _ = try server.finished(napping)
            #expect(
                try outcomes(server) == [
                    "exited": 3, "signaled": 1, "timed_out": 1, "output_limit": 1, "start_failed": 1, "cancelled": 1,
                ]
            )
            let metrics = try scrape(server)
            #expect(metrics.value("sandglass_runs_accepted_total") == 8)
            #expect(metrics.value("sandglass_runs_running") == 0)
            #expect(metrics.value("sandglass_queue_depth") == 0)
            #expect(metrics.value("sandglass_queue_wait_seconds_count") == 8)
            // All but the one that never started.
            #expect(metrics.value("sandglass_spawn_duration_seconds_count") == 7)
            #expect(metrics.value("sandglass_run_duration_seconds_count") == 7)
            try #expect(#require(metrics.value("sandglass_run_duration_seconds_sum")) >= 0.1)
            #expect(metrics.value("sandglass_output_bytes_total", ["stream": "stderr"]) == 9)
            try #expect(#require(metrics.value("sandglass_output_bytes_total", ["stream": "stdout"])) > 115)
            #expect(eventually { (try? scrape(server).value("sandglass_store_runs")) == 8 })
        }
    }

    @Test func `what a server that was killed left behind is counted by the next one`() throws {
        let data = try DataFolder()
        let first = try data.server("--concurrency", "1")
        let nap = Marker.nap()
        _ = try first.submit(["sleep", nap], ["timeoutSeconds": 600])
        let queued = try first.submit(["true"])
        try #require(eventually { !ProcessTable.running(nap).isEmpty })
        try #expect(scrape(first).value("sandglass_queue_depth") == 1)
        try first.kill()
        let second = try data.server("--concurrency", "1")
        _ = try second.finished(queued)
        try #expect(outcomes(second) == ["lost": 1, "exited": 1])
        try second.stop()
    }

    @Test func `refusals are counted by their reason`() throws {
        try withServer("--concurrency", "1", "--queue-limit", "0") { server in
            let running = try server.submit(["sleep", "600"], ["timeoutSeconds": 700])
            for _ in 0..<2 { try #expect(server.post(try ServerProcess.body(["true"])).status == 503) }
            _ = try server.send("POST", "/runs/\(running.id)/cancel")
            _ = try server.finished(running)
            for body in [["true"], ["false"]] {
                _ = try server.post(try ServerProcess.body(body), query: "?wait=60", ["Idempotency-Key: one"])
            }
            let reasons = try scrape(server).values("sandglass_runs_rejected_total", by: "reason")
            #expect(reasons.filter { $0.value > 0 } == ["queue_full": 2, "key_taken": 1])
        }
    }

    @Test func `nothing that a client sends becomes a label`() throws {
        try withServer { server in
            let known = try scrape(server).families.flatMap(\.samples).count
            for number in 0..<20 {
                for method in ["BREW\(number)", "PATCH", "GET"] {
                    _ = try server.get("/made-up-\(number)", ["X-Request-Id: made-up-\(number)"])
                    _ = try server.send(method, "/made-up-\(number)")
                }
            }
            let client = try server.client()
            try client.send("GET /made-up HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
            try #expect(client.answer().status == 400)
            let answer = try server.get("/metrics")
            #expect(!answer.text.contains("made-up") && !answer.text.contains("BREW"))
            let metrics = try MetricsText(answer.text)
            let requests = "sandglass_http_requests_total"
            #expect(metrics.value(requests, ["method": "GET", "code": "404"]) == 80)
            #expect(metrics.value(requests, ["method": "PATCH", "code": "404"]) == 20)
            #expect(metrics.value(requests, ["method": "other", "code": "404"]) == 20)
            #expect(metrics.value(requests, ["method": "GET", "code": "400"]) == 1)
            #expect(metrics.families.flatMap(\.samples).count <= known + 5)
        }
    }

    @Test func `bytes of requests and answers are counted, and connections that are open`() throws {
        try withServer { server in
            let clients = try (0..<5).map { _ in try server.client() }
            for client in clients { try #expect(client.health() == 200) }
            let before = try scrape(server)
            #expect(before.value("sandglass_http_connections") == 6)
            let body = try ServerProcess.body(["echo", "hello"])
            let answer = try server.post(body, query: "?wait=60")
            let after = try scrape(server)
            func growth(_ name: String) throws -> Double {
                try #require(after.value(name)) - #require(before.value(name))
            }
            try #expect(growth("sandglass_http_request_bytes_total") == Double(body.count))
            // The first scrape's own answer too.
            let scraped = try growth("sandglass_http_response_bytes_total") - Double(answer.body.count)
            #expect(scraped > 1000)
            try #expect(growth("sandglass_http_request_duration_seconds_count") == 2)
        }
    }

    /// It takes seconds: two thousand runs, so that a count that is lost now and then is seen.
    @Test func `after thousands of runs the counts are exact, and they never go down under load`() throws {
        let (workers, each) = (8, 250)
        try withServer { server in
            let body = try ServerProcess.body(["true"])
            nonisolated(unsafe) var done = 0
            nonisolated(unsafe) var faults: [any Error] = []
            let lock = NSLock()
            let port = server.port
            for _ in 0..<workers {
                Thread.detachNewThread {
                    do {
                        let client = try HTTPClient(port: port)
                        for _ in 0..<each {
                            try client.request("POST", "/runs?wait=60", ["Content-Type: application/json"], body: body)
                            try #require(client.answer().status == 201)
                        }
                    } catch { lock.withLock { faults.append(error) } }
                    lock.withLock { done += 1 }
                }
            }
            var last: [String: Double] = [:]
            while lock.withLock({ done < workers }) {
                let metrics = try scrape(server)
                for family in metrics.families where family.kind != "gauge" {
                    for sample in family.samples {
                        let name = "\(sample.name)\(sample.labels.sorted { $0.key < $1.key })"
                        #expect(sample.value >= last[name] ?? 0, "\(name)")
                        last[name] = sample.value
                    }
                }
            }
            #expect(faults.isEmpty)
            let total = Double(workers * each)
            try #expect(outcomes(server) == ["exited": total])
            let metrics = try scrape(server)
            #expect(metrics.value("sandglass_runs_accepted_total") == total)
            for name in ["run_duration", "spawn_duration", "queue_wait"] {
                #expect(metrics.value("sandglass_\(name)_seconds_count") == total)
            }
            #expect(metrics.value("sandglass_http_requests_total", ["method": "POST", "code": "201"]) == total)
            #expect(eventually { (try? scrape(server).value("sandglass_store_runs")) == total })
            let commits = try #require(metrics.value("sandglass_store_commit_duration_seconds_count"))
            #expect(commits > 0 && commits <= 2 * total)
        }
    }
}
