import Foundation
import TestSupport
import Testing

/// The programs of the directory Examples.
struct ExampleTests {
    private static let directory = Host.repositoryPath("Examples")

    @Test(.needs("gcc"), .needs("curl"))
    func `build.sh builds, fetches and runs a program with curl alone`() throws {
        try withServer { server in
            for _ in 0..<2 {
                let script = Self.directory + "/build/build.sh"
                let finished = try ChildProcess([script, "http://127.0.0.1:\(server.port)"]).finish()
                #expect(finished.end == .exited(0), "\(finished.diagnostics)")
                #expect(finished.text == "hello, from a sandbox\n")
            }
            // The second build had nothing to upload.
            let uploads = try server.get("/metrics").text.split(separator: "\n").filter {
                $0.contains("sandglass_http_requests_total") && $0.contains("PUT")
            }
            #expect(uploads.count == 1)
            #expect(uploads.first?.hasSuffix(" 3") == true, "\(uploads)")
        }
    }

    @Test func `follow.html listens to every kind of event`() throws {
        let page = try String(contentsOfFile: Self.directory + "/follow.html", encoding: .utf8)
        try withServer { server in
            let run = try server.shell("echo out; echo oops >&2")
            let events = try server.get("/runs/\(run.id)/events").text.split(separator: "\n").compactMap { line in
                line.hasPrefix("event: ") ? String(line.dropFirst(7)) : nil
            }
            for event in Set(events) { #expect(page.contains("\"\(event)\""), "\(event)") }
            #expect(Set(events) == ["stdout", "stderr", "state", "end"])
        }
    }
}
