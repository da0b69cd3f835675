import Foundation
import Glibc
import TestSupport
import Testing

/// `GET /readyz` tries; each part of what it tries is taken away here.
struct ReadinessTests {
    private func isReady(_ server: ServerProcess) throws -> Bool { try server.get("/readyz").status == 200 }

    private func problem(_ server: ServerProcess) throws -> String {
        let answer = try server.get("/readyz")
        guard answer.status == 503 else { return "" }
        #expect(answer.headers["content-type"] == "application/problem+json")
        #expect(answer.headers["retry-after"] != nil)
        return try answer.problem().detail
    }

    private func slotsReady(_ server: ServerProcess) throws -> Double {
        try #require(MetricsText(server.get("/metrics").text).value("sandglass_slots_ready"))
    }

    /// It takes seconds: that long a launcher may take.
    @Test func `a launcher that does not answer is no launcher, until it does`() throws {
        try withServer("--concurrency", "2") { server in
            try #expect(isReady(server))
            let launcher = try #require(server.launcher?.pid)
            kill(launcher, SIGSTOP)
            #expect(try eventually { try problem(server).contains("launcher does not answer") })
            try #expect(server.get("/healthz").status == 200)
            kill(launcher, SIGCONT)
            #expect(try eventually { try isReady(server) })
            try #expect(server.shell("exit 3").end == .exited(3))
            #expect(eventually { server.isIdle })
        }
    }

    @Test(.enabled(if: geteuid() == 0, "only root mounts a small file system"))
    func `a disk that is full is told of, until there is room`() throws {
        let data = try DataFolder()
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

    @Test func `asking all the time costs next to nothing, and leaves nothing`() throws {
        try withServer { server in
            let client = try server.client()
            let spares = try slotsReady(server)
            #expect(spares > 0)
            let before = monotonicSeconds()
            for _ in 0..<500 {
                try client.request("GET", "/readyz")
                try #expect(client.answer().status == 200)
            }
            // One try a second, each of which leaves a line in no list of runs.
            let tries = monotonicSeconds() - before
            #expect(tries < 30)
            try #expect(server.runs().isEmpty)
            // What is ready is for runs, and says nothing of a launcher that has stopped since.
            try #expect(slotsReady(server) == spares)
            #expect(eventually { server.isIdle })
        }
    }

    @Test func `with every place taken it is ready all the same`() throws {
        try withServer("--concurrency", "2") { server in
            let naps = try (0..<4).map { _ in try server.submit(["sleep", "600"], ["timeoutSeconds": 700]) }
            try #expect(isReady(server))
            for nap in naps.reversed() { _ = try server.send("POST", "/runs/\(nap.id)/cancel") }
        }
    }
}
