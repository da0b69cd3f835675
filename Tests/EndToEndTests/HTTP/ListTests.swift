import Glibc
import TestSupport
import Testing

/// `GET /runs`, and conditional requests.
struct ListTests {
    @Test func `pages neither repeat nor skip runs while runs are added`() throws {
        try withServer { server in
            let ids = try (0..<25).map { _ in try server.run(["true"]).id }
            var seen: [String] = []
            var target: String? = "/runs?limit=10"
            var pages = 0
            while let next = target {
                let response = try server.get(next)
                #expect(response.status == 200)
                let page = try response.page()
                seen += page.ids
                pages += 1
                #expect((page.next == nil) == (response.headers["link"] == nil))
                // `</runs?…>; rel="next"`
                target = response.headers["link"].map { String($0.dropFirst().prefix { $0 != ">" }) }
                if let link = response.headers["link"] { #expect(link.hasSuffix(">; rel=\"next\"")) }
                _ = try server.run(["true"])
            }
            #expect(pages == 3)
            #expect(seen == ids.reversed())
        }
    }

    @Test func `a full last page has no next page`() throws {
        try withServer { server in
            for _ in 0..<4 { _ = try server.run(["true"]) }
            let first = try server.get("/runs?limit=2").page()
            let second = try server.get("/runs?limit=2&cursor=\(#require(first.next))").page()
            #expect(second.ids.count == 2)
            #expect(second.next == nil)
        }
    }

    @Test func `filters by state, outcome and label can be combined`() throws {
        try withServer("--concurrency", "1") { server in
            let exited = try server.run(["true"], ["labels": ["branch": "a:b c", "x": "1"]]).id
            let failed = try server.run(["/no/such"], ["labels": ["x": "1"]]).id
            let nap = Marker.nap()
            let running = try server.submit(["sleep", nap], ["timeoutSeconds": 600, "labels": ["x": "1"]]).id
            try #require(eventually { !ProcessTable.running(nap).isEmpty })
            let queued = try server.submit(["true"], ["labels": ["x": "2"]]).id
            let expected: [(String, [String])] = [
                ("", [queued, running, failed, exited]),
                ("&state=queued", [queued]),
                ("&state=running", [running]),
                ("&state=finished", [failed, exited]),
                ("&outcome=exited", [exited]),
                ("&outcome=start_failed", [failed]),
                ("&outcome=lost", []),
                ("&label=x=1", [running, failed, exited]),
                ("&label=x:3", []),
                ("&label=branch:a%3Ab%20c", [exited]),
                ("&label=x=1&state=finished", [failed, exited]),
                ("&label=x=1&outcome=start_failed&state=finished", [failed]),
                ("&outcome=exited&state=queued", []),
            ]
            for (query, ids) in expected { try #expect(server.runs(query).map(\.id) == ids, "\(query)") }
            // The link to the next page repeats the filters.
            let page = try server.get("/runs?limit=1&label=x=1&state=finished")
            #expect(page.headers["link"]?.contains("state=finished") == true)
            #expect(page.headers["link"]?.contains("label=x=1") == true)
            _ = try server.send("POST", "/runs/\(running)/cancel")
            _ = try server.finished(queued)
        }
    }

    @Test func `a list contains no output`() throws {
        try withServer { server in
            _ = try server.shell("echo secret")
            let text = try server.get("/runs").text
            #expect(!text.contains("\"stdout\"") && !text.contains("\"stderr\""))
        }
    }

    @Test func `an invalid query is refused`() throws {
        try withServer { server in
            for query in [
                "state=done", "state=", "outcome=ok", "outcome=", "label=x", "label=:1", "label=", "limit=0",
                "limit=101",
                "limit=x", "limit=", "limit=-1", "cursor=x", "cursor=", "sort=id", "state=queued&state=running",
                "wait=1",
            ] {
                let response = try server.get("/runs?\(query)")
                #expect(response.status == 400, "\(query)")
                try #expect(response.problem().status == 400, "\(query)")
            }
        }
    }

    @Test func `a finished run supports If-None-Match`() throws {
        try withServer { server in
            let run = try server.shell("echo hello")
            let first = try server.get("/runs/\(run.id)")
            let tag = try #require(first.headers["etag"])
            #expect(tag.hasPrefix("\"") && tag.hasSuffix("\""))
            for known in [tag, "W/\(tag)", "\"other\", \(tag)", "*"] {
                let again = try server.get("/runs/\(run.id)", ["If-None-Match: \(known)"])
                #expect(again.status == 304, "\(known)")
                #expect(again.body.isEmpty)
                #expect(again.headers["etag"] == tag)
            }
            let other = try server.get("/runs/\(run.id)", ["If-None-Match: \"other\""])
            #expect(other.status == 200)
            #expect(other.body == first.body)
        }
    }

    @Test func `If-None-Match returns a changed run`() throws {
        try withServer { server in
            let nap = Marker.nap()
            let run = try server.submit(["sleep", nap], ["timeoutSeconds": 600])
            try #require(eventually { !ProcessTable.running(nap).isEmpty })
            let tag = try #require(try server.get("/runs/\(run.id)").headers["etag"])
            let waiting = try server.client()
            try waiting.request("GET", "/runs/\(run.id)?wait=60", ["If-None-Match: \(tag)"])
            _ = try server.send("POST", "/runs/\(run.id)/cancel")
            let response = try waiting.response()
            #expect(response.status == 200)
            try #expect(response.run().outcome == "cancelled")
            #expect(response.headers["etag"] != tag)
        }
    }
}
