internal import JSON
public import Runs

/// A run as a server tells it.
///
/// Only what a client needs to understand is read; whatever else is there, and whatever a later server adds, stays in
/// ``json``.
public struct ReceivedRun: Sendable {
    /// Its name.
    public let id: RunID
    /// `queued`, `running` or `finished`.
    public let state: String
    /// How it ended, by the contract's name; `nil` until then.
    public let outcomeName: String?
    /// How it ended; `nil` also if that is an outcome that is not known here.
    public let outcome: Outcome?
    /// The files that it left.
    public let artifacts: [ReceivedArtifact]
    /// What it left and was not kept, and why, for people.
    public let omissions: [String]
    /// The whole document.
    let document: JSONObject

    /// Whether it is over.
    public var isFinished: Bool { state == "finished" }

    /// How much of a stream is kept.
    var mostOutputBytes: Int? { document["limits"]?.object?["outputBytes"]?.integer }

    /// Whether a stream was longer than what was kept of it; the document has to be one with output.
    func isTruncated(_ stream: OutputStream) -> Bool {
        document[stream.rawValue]?.object?["truncated"]?.bool ?? false
    }

    init(_ value: JSONValue) throws(ClientError) {
        guard let object = value.object, let id = object["id"]?.string.flatMap(RunID.init),
            let state = object["state"]?.string
        else { throw .misunderstood("The server sent a run that is none.") }
        (self.id, self.state, document) = (id, state, object)
        outcomeName = object["outcome"]?.string
        outcome = outcomeName.flatMap { Self.outcome($0, object) }
        var artifacts: [ReceivedArtifact] = []
        for value in object["artifacts"]?.array ?? [] { artifacts.append(try ReceivedArtifact(value)) }
        self.artifacts = artifacts
        omissions = (object["omittedArtifacts"]?.array ?? []).compactMap { value in
            guard let omitted = value.object, let path = omitted["path"]?.string else { return nil }
            let why = [omitted["reason"]?.string, omitted["detail"]?.string].compactMap { $0 }.filter { !$0.isEmpty }
            return "\(path) was not kept" + (why.isEmpty ? "" : ": " + why.joined(separator: ", "))
        }
    }

    /// The document as one line of JSON.
    public var json: [UInt8] {
        var writer = JSONWriter()
        writer.value(JSONValue.object(document))
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func outcome(_ name: String, _ object: JSONObject) -> Outcome? {
        let code = object["exitCode"]?.integer.map { Int32(truncatingIfNeeded: $0) }
        let signal = (object["signal"]?.object).flatMap(signal)
        let ending = code.map { Ending.exitCode($0) } ?? signal.map { .signal($0) }
        let failure = Failure(
            step: object["error"]?.object?["step"]?.string ?? "",
            errno: object["error"]?.object?["errno"]?.string ?? "",
            detail: object["error"]?.object?["detail"]?.string ?? "it said no more"
        )
        return switch name {
        case "exited": code.map { .exited(code: $0) }
        case "signaled": signal.map { .signaled($0) }
        case "timed_out": .timedOut(ending ?? .signal(.kill))
        case "cpu_limit": .cpuLimit(signal ?? .kill)
        case "memory_limit": .memoryLimit
        case "output_limit": .outputLimit(ending ?? .signal(.kill))
        case "cancelled": .cancelled(ending)
        case "lost": .lost
        case "start_failed": .startFailed(failure)
        case "internal_error": .internalError(failure)
        default: nil
        }
    }

    private static func signal(_ object: JSONObject) -> Signal? {
        guard let number = object["number"]?.integer, (1...127).contains(number) else { return nil }
        return Signal(
            number: Int32(number),
            name: object["name"]?.string ?? "signal \(number)",
            coreDumped: object["coreDumped"]?.bool ?? false
        )
    }
}
