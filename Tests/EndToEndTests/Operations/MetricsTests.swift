import Foundation
import Glibc
import TestSupport
import Testing

/// `GET /metrics`.
struct MetricsTests {
    private func scrape(_ server: ServerProcess) throws -> MetricsText {
        let response = try server.get("/metrics")
        try #require(response.status == 200)
        return try MetricsText(response.text)
    }

    private func outcomes(_ server: ServerProcess) throws -> [String: Double] {
        try scrape(server).values("sandglass_runs_total", by: "outcome").filter { $0.value > 0 }
    }

    @Test func `every metric has a name and a help text that a strict parser accepts`() throws {
        try withServer { server in
            let response = try server.get("/metrics")
            #expect(response.headers["content-type"] == "text/plain; version=0.0.4; charset=utf-8")
            let metrics = try MetricsText(response.text)
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
                "sandglass_blobs", "sandglass_blob_bytes", "sandglass_slot_retries_total",
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
            try #expect(client.response(toHead: true).status == 200)
            try #expect(server.send("POST", "/metrics").status == 405)
        }
    }

    @Test func `outcomes, bytes and durations are counted once per run`() throws {
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
            // The run that never started is not counted.
            #expect(metrics.value("sandglass_spawn_duration_seconds_count") == 7)
            #expect(metrics.value("sandglass_run_duration_seconds_count") == 7)
            try #expect(#require(metrics.value("sandglass_run_duration_seconds_sum")) >= 0.1)
            #expect(metrics.value("sandglass_output_bytes_total", ["stream": "stderr"]) == 9)
            try #expect(#require(metrics.value("sandglass_output_bytes_total", ["stream": "stdout"])) > 115)
            #expect(eventually { (try? scrape(server).value("sandglass_store_runs")) == 8 })
        }
    }

    @Test func `a server counts the runs that a killed server left`() throws {
        let data = try TemporaryDataDirectory()
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

    @Test func `refusals are counted by reason`() throws {
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

    @Test func `client data never becomes a label`() throws {
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
            try #expect(client.response().status == 400)
            let response = try server.get("/metrics")
            #expect(!response.text.contains("made-up") && !response.text.contains("BREW"))
            let metrics = try MetricsText(response.text)
            let requests = "sandglass_http_requests_total"
            #expect(metrics.value(requests, ["method": "GET", "code": "404"]) == 80)
            #expect(metrics.value(requests, ["method": "PATCH", "code": "404"]) == 20)
            #expect(metrics.value(requests, ["method": "other", "code": "404"]) == 20)
            #expect(metrics.value(requests, ["method": "GET", "code": "400"]) == 1)
            #expect(metrics.families.flatMap(\.samples).count <= known + 5)
        }
    }

    @Test func `bytes of requests and responses and open connections are counted`() throws {
        try withServer { server in
            let clients = try (0..<5).map { _ in try server.client() }
            for client in clients { try #expect(client.health() == 200) }
            let before = try scrape(server)
            #expect(before.value("sandglass_http_connections") == 6)
            let body = try ServerProcess.body(["echo", "hello"])
            let response = try server.post(body, query: "?wait=60")
            let after = try scrape(server)
            func growth(_ name: String) throws -> Double {
                try #require(after.value(name)) - #require(before.value(name))
            }
            try #expect(growth("sandglass_http_request_bytes_total") == Double(body.count))
            // The response to the first scrape counts too.
            let scraped = try growth("sandglass_http_response_bytes_total") - Double(response.body.count)
            #expect(scraped > 1000)
            try #expect(growth("sandglass_http_request_duration_seconds_count") == 2)
        }
    }

    /// Two thousand runs take seconds, but they also reveal a count that is lost only now and then.
    @Test func `counters are exact after two thousand runs and never decrease under load`() throws {
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
                            try #require(client.response().status == 201)
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

/// `GET /readyz` without a launcher, without disk space and under load.
struct ReadinessTests {
    private func isReady(_ server: ServerProcess) throws -> Bool { try server.get("/readyz").status == 200 }

    private func problem(_ server: ServerProcess) throws -> String {
        let response = try server.get("/readyz")
        guard response.status == 503 else { return "" }
        #expect(response.headers["content-type"] == "application/problem+json")
        #expect(response.headers["retry-after"] != nil)
        return try response.problem().detail
    }

    private func slotsReady(_ server: ServerProcess) throws -> Double {
        try #require(MetricsText(server.get("/metrics").text).value("sandglass_slots_ready"))
    }

    /// The launcher has seconds to respond, so the test takes seconds.
    @Test func `a stopped launcher makes the server unready until it continues`() throws {
        try withServer("--concurrency", "2") { server in
            try #expect(isReady(server))
            let launcher = try #require(server.launcher?.pid)
            kill(launcher, SIGSTOP)
            #expect(try eventually { try problem(server).contains("launcher does not respond") })
            try #expect(server.get("/healthz").status == 200)
            kill(launcher, SIGCONT)
            #expect(try eventually { try isReady(server) })
            try #expect(server.shell("exit 3").end == .exited(3))
            #expect(eventually { server.isIdle })
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts a small file system"))
    func `a full disk makes the server unready until there is space`() throws {
        let data = try TemporaryDataDirectory()
        mkdir(data.path, 0o700)
        try #require(mount("tmpfs", data.path, "tmpfs", 0, "size=16m") == 0)
        defer { umount2(data.path, Int32(MNT_DETACH)) }
        let server = try data.server()
        try #expect(isReady(server))
        let filler = data.path + "/filler"
        let descriptor = open(filler, O_WRONLY | O_CREAT | O_CLOEXEC, 0o600)
        let zeros = [UInt8](repeating: 0, count: 4096)
        while write(descriptor, zeros, zeros.count) > 0 {}
        close(descriptor)
        #expect(try eventually { try problem(server).contains("disk is full") })
        unlink(filler)
        #expect(try eventually { try isReady(server) })
        try #expect(server.shell("exit 3").end == .exited(3))
        try server.stop()
    }

    @Test func `frequent requests are cheap and leave no run`() throws {
        try withServer { server in
            let client = try server.client()
            let before = try slotsReady(server)
            #expect(before > 0)
            let start = monotonicSeconds()
            for _ in 0..<500 {
                try client.request("GET", "/readyz")
                try #expect(client.response().status == 200)
            }
            // The server tests itself once a second at most, and no test is listed as a run.
            let seconds = monotonicSeconds() - start
            #expect(seconds < 30)
            try #expect(server.runs().isEmpty)
            // The test does not use up the ready slots, which would not reveal a launcher that has stopped since.
            try #expect(slotsReady(server) == before)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `a server with a full queue is ready`() throws {
        try withServer("--concurrency", "2") { server in
            let naps = try (0..<4).map { _ in try server.submit(["sleep", "600"], ["timeoutSeconds": 700]) }
            try #expect(isReady(server))
            for nap in naps.reversed() { _ = try server.send("POST", "/runs/\(nap.id)/cancel") }
        }
    }
}
