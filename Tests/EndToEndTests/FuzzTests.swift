import Foundation
import Testing

/// Thousands of requests that are almost right, over real sockets.
@Suite(.serialized)
struct FuzzTests {
    private static let requests = 5_000

    /// What is wrong with an answer; nil if nothing is.
    private func fault(_ answer: HTTPAnswer, isToHead: Bool) -> String? {
        guard (100...599).contains(answer.status) else { return "no status" }
        if answer.status == 100 { return nil }
        guard answer.headers["date"] != nil else { return "no Date" }
        guard answer.status >= 400 else { return nil }
        guard answer.headers["content-type"] == "application/problem+json" else { return "not a problem" }
        if isToHead { return nil }
        guard let problem = try? answer.problem() else { return "a malformed problem" }
        return problem.status == answer.status ? nil : "another status in the problem"
    }

    @Test func `thousands of mutated requests get well-formed answers and leave nothing behind`() throws {
        try withServer { server in
            func send(_ count: Int, _ mutator: inout RequestMutator) throws {
                for _ in 0..<count {
                    let bytes = mutator.next()
                    let text = String(decoding: bytes, as: UTF8.self)
                    let client = try server.client()
                    // It may be refused while it is sent.
                    try? client.send(bytes)
                    client.finishSending()
                    for answer in try client.answersToTheEnd(mayHaveHeads: text.contains("HEAD")) {
                        let fault = fault(answer, isToHead: text.contains("HEAD") && answer.body.isEmpty)
                        #expect(
                            fault == nil,
                            "\(fault ?? "") in the answer \(answer.status) \(answer.text) to \(text.debugDescription)"
                        )
                    }
                }
            }
            var mutator = RequestMutator(seed: 20_260_101)
            // What grows once, such as the number of ready slots and the tables of the allocator.
            try send(500, &mutator)
            try #require(eventually { server.isIdle })
            // Each slot has one.
            func sockets() throws -> Int { try ProcessTable.sockets(of: server.pid) - server.slots.count }
            let before = try sockets()
            let memory = try #require(ProcessTable.memory("VmRSS", of: server.pid))
            try send(Self.requests, &mutator)
            #expect(try server.get("/healthz").status == 200)
            #expect(try server.run(["true"]).end == .exited(0))
            #expect(eventually { server.isIdle })
            #expect(try eventually { try sockets() <= before })
            // Those that were taken for runs are remembered, at some kilobytes each.
            #expect(try #require(ProcessTable.memory("VmRSS", of: server.pid)) - memory < 48 << 20)
        }
    }
}
