import Foundation
import Testing

/// What the folder Examples shows works.
struct ExampleTests {
    private static let folder =
        URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../../Examples").standardized.path()

    @Test(.needs("gcc"), .needs("curl"))
    func `a program of several files is built, fetched and run with curl alone`() throws {
        try withServer { server in
            for _ in 0..<2 {
                let script = Self.folder + "/build/build.sh"
                let finished = try ChildProcess([script, "http://127.0.0.1:\(server.port)"]).finish()
                #expect(finished.end == .exited(0), "\(finished.diagnostics)")
                #expect(finished.text == "hello, from a sandbox\n")
            }
            // The second time there was nothing to send.
            let uploads = try server.get("/metrics").text.split(separator: "\n").filter {
                $0.contains("sandglass_http_requests_total") && $0.contains("PUT")
            }
            #expect(uploads.count == 1)
            #expect(uploads.first?.hasSuffix(" 3") == true, "\(uploads)")
        }
    }

    @Test func `the page listens to the events that there are`() throws {
        let page = try String(contentsOfFile: Self.folder + "/follow.html", encoding: .utf8)
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
