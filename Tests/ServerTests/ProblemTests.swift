import HTTPServer
import JSON
import RunModel
import Service
import TestSupport
import Testing

@testable import Server
@testable import Store

@Suite struct ProblemTests {
    @Test func `each rejection has its status, and temporary ones have Retry-After`() {
        let broken = StoreError(operation: "write", path: "/x", number: 5, detail: "Input/output error")
        let full = StoreError(operation: "write", path: "/x", number: 28, detail: "No space left on device")
        let reasons: [(SubmissionError, Int, Bool)] = [
            (.queueFull(waiting: 3), 503, true), (.notAccepting, 503, true), (.notStored(broken), 503, true),
            (.notStored(full), 507, true), (.tooManyWaiting(most: 1), 429, true), (.missingBlobs(["ab"]), 422, false),
            (.keyTaken, 422, false), (.runDeleted(.none), 409, false),
        ]
        for (reason, status, mayRetry) in reasons {
            let problem = Problem(reason, of: Submission(RunSpecification(command: ["true"]), of: ""))
            #expect(problem.status == status)
            #expect(problem.headers.contains { $0.name == "Retry-After" } == mayRetry, "\(reason)")
        }
    }

    @Test func `a problem has the format of RFC 9457`() throws {
        let response = Problem(status: 404, detail: "It is \"not\" here.").response
        #expect(response.status == 404)
        #expect(response.headers == [HeaderField("Content-Type", "application/problem+json")])
        #expect(
            try text(response) == #"""
                {"type":"about:blank","title":"Not Found","status":404,"detail":"It is \"not\" here."}

                """#
        )
    }

    @Test func `faults are listed with their pointers`() throws {
        let faults = [
            JSONFault(pointer: JSONPointer.root.appending("limits").appending("a/b"), detail: "is not known"),
            JSONFault(pointer: .root, detail: "is wrong"),
        ]
        let document = try document(Problem(status: 422, detail: "No.", faults: faults).response)
        guard case .array(let errors) = document["errors"] else {
            Issue.record("no errors")
            return
        }
        #expect(errors.map { $0["pointer"] } == [.string("/limits/a~1b"), .string("")])
        #expect(errors.map { $0["detail"] } == [.string("is not known"), .string("is wrong")])
    }

    @Test func `a hundred of a thousand faults are listed, with the total number`() throws {
        let faults = [JSONFault](repeating: JSONFault(pointer: .root, detail: "is wrong"), count: 1000)
        let document = try document(Problem(status: 422, detail: "No.", faults: faults).response)
        guard case .array(let errors) = document["errors"] else {
            Issue.record("no errors")
            return
        }
        #expect(document["detail"] == .string("No. The first 100 of its 1000 faults are listed."))
        #expect(errors.count == 100)
    }

    @Test func `additional headers are part of the response`() {
        let response = Problem(status: 405, detail: "No.", headers: [HeaderField("Allow", "GET")]).response
        #expect(response.headers.last == HeaderField("Allow", "GET"))
    }

    @Test(arguments: [400, 401, 403, 404, 405, 408, 409, 413, 414, 415, 421, 422, 429, 431, 500, 503, 507])
    func `every status of the API has a title`(status: Int) throws {
        #expect(try document(Problem(status: status, detail: "x").response)["title"] != .string("Error"))
    }

    private func text(_ response: Response) throws -> String {
        guard case .bytes(let bytes) = response.body else { return "" }
        return String(decoding: bytes, as: UTF8.self)
    }

    private func document(_ response: Response) throws -> JSONValue {
        try JSONParser.parse(Array(try text(response).utf8))
    }
}
