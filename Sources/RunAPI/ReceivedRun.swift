package import JSON
package import RunModel
package import System

/// The error of a client that received a document other than the contract's.
package struct MalformedDocument: Error, Sendable, CustomStringConvertible {
    /// A sentence for people.
    package let description: String

    /// - Parameter subject: the malformed part, such as `a run without a valid id and state`.
    init(_ subject: String) {
        description = "The server sent \(subject)."
    }
}

/// A run as a client receives it: the reading side of ``RunDocument``.
///
/// Only the members that a client has to understand are decoded. All others, including those of newer servers, stay in
/// ``json``.
package struct ReceivedRun: Sendable {
    /// The name of the run.
    package let id: RunID
    /// The state: `queued`, `running` or `finished`.
    package let state: String
    /// The contract's name of the outcome; `nil` until the run is finished.
    package let outcomeName: String?
    /// The outcome; `nil` until the run is finished, and for an outcome that this version does not know.
    package let outcome: Outcome?
    /// The kept files of the run.
    package let artifacts: [ReceivedArtifact]
    /// The files that were not kept, each with its reason, for people.
    package let omissions: [String]
    /// The whole document.
    package let document: JSONObject

    /// A Boolean value indicating whether the run is finished.
    package var isFinished: Bool { state == "finished" }

    /// The command.
    package var command: [String] { (document["command"]?.array ?? []).compactMap(\.string) }

    /// The patterns of the artifacts that the run was asked to keep.
    package var artifactPatterns: [String] { (document["artifactPatterns"]?.array ?? []).compactMap(\.string) }

    /// The maximum number of bytes that are kept of each stream.
    package var outputLimit: Int? { document["limits"]?.object?["outputBytes"]?.integer }

    /// Returns whether a stream was longer than its kept part, for a document with output.
    package func isTruncated(_ stream: OutputStream) -> Bool {
        document[stream.rawValue]?.object?["truncated"]?.bool ?? false
    }

    /// Returns the offsets of the bytes of a stream that were not kept, for a document with output.
    ///
    /// - Returns: `nil` if all were kept, and for a server that does not tell.
    package func cut(of stream: OutputStream) -> Range<Int>? {
        let cut = document[stream.rawValue]?.object?["cut"]?.object
        guard let offset = cut?["offset"]?.integer, let count = cut?["bytes"]?.integer, offset >= 0, count > 0 else {
            return nil
        }
        let end = offset.addingReportingOverflow(count)
        return end.overflow ? nil : offset..<end.partialValue
    }

    /// Returns the offset after the last kept byte of a stream, for a document with output.
    ///
    /// - Returns: `nil` if the document does not tell.
    package func keptEnd(of stream: OutputStream) -> Int? {
        guard let total = document[stream.rawValue]?.object?["bytes"]?.integer else { return nil }
        guard isTruncated(stream) else { return total }
        return cut(of: stream).map { $0.upperBound == total ? $0.lowerBound : total }
    }

    /// Decodes the document of a run.
    ///
    /// - Throws: ``MalformedDocument`` if the value is not a run.
    package init(json value: JSONValue) throws(MalformedDocument) {
        guard let object = value.object, let id = object["id"]?.string.flatMap(RunID.init),
            let state = object["state"]?.string
        else { throw MalformedDocument("a run without a valid id and state") }
        (self.id, self.state, document) = (id, state, object)
        outcomeName = object["outcome"]?.string
        outcome = outcomeName.flatMap { Self.outcome($0, object) }
        var artifacts: [ReceivedArtifact] = []
        for value in object["artifacts"]?.array ?? [] { artifacts.append(try ReceivedArtifact(json: value)) }
        self.artifacts = artifacts
        omissions = (object["omittedArtifacts"]?.array ?? []).compactMap { value in
            guard let omitted = value.object, let path = omitted["path"]?.string else { return nil }
            let reasons = [omitted["reason"]?.string, omitted["detail"]?.string].compactMap { $0 }.filter {
                !$0.isEmpty
            }
            return "\(path) was not kept" + (reasons.isEmpty ? "" : ": " + reasons.joined(separator: ", "))
        }
    }

    /// The document as one line of JSON.
    package var json: [UInt8] {
        var writer = JSONWriter()
        writer.value(JSONValue.object(document))
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    private static func outcome(_ name: String, _ object: JSONObject) -> Outcome? {
        let failure = object["error"]?.object.map { error in
            Failure(
                step: error["step"]?.string ?? "",
                errno: error["errno"]?.string ?? "",
                detail: error["detail"]?.string ?? "no details are available"
            )
        }
        return Outcome(
            name: name,
            exitCode: object["exitCode"]?.integer.map { Int32(truncatingIfNeeded: $0) },
            signal: object["signal"]?.object.flatMap(signal),
            failure: failure
        )
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

/// An artifact of a run as a client receives it.
package struct ReceivedArtifact: Sendable {
    /// The kind of an artifact.
    package enum Kind: Sendable {
        /// A file, with its size in bytes, the digest of its content, and whether it may be executed.
        case regular(bytes: Int, digest: SHA256Digest, isExecutable: Bool)
        /// A symbolic link, whose target the client must validate before it creates the link.
        case symbolicLink(target: String)
        /// An empty directory.
        case directory
    }

    /// The path below `/box`, which the client must validate before it creates a file.
    package let path: String
    /// The kind of the artifact.
    package let kind: Kind

    fileprivate init(json value: JSONValue) throws(MalformedDocument) {
        guard let object = value.object, let path = object["path"]?.string, let kind = Self.kind(object) else {
            throw MalformedDocument("an artifact without valid path, bytes and sha256")
        }
        (self.path, self.kind) = (path, kind)
    }

    private static func kind(_ object: JSONObject) -> Kind? {
        if let target = object["symlink"] { return target.string.map { .symbolicLink(target: $0) } }
        if object["directory"]?.bool == true { return .directory }
        guard let bytes = object["bytes"]?.integer, bytes >= 0,
            let digest = object["sha256"]?.string.flatMap(SHA256Digest.init(hexadecimal:))
        else { return nil }
        return .regular(bytes: bytes, digest: digest, isExecutable: object["executable"]?.bool ?? false)
    }
}

/// A page of a list of runs as a client receives it.
package struct RunPage: Sendable {
    /// The runs, without their output.
    package let runs: [ReceivedRun]
    /// The cursor of the next page; `nil` on the last page.
    package let next: String?

    /// Decodes a page.
    ///
    /// - Throws: ``MalformedDocument`` if the value is not a page of runs.
    package init(json value: JSONValue) throws(MalformedDocument) {
        guard let object = value.object, let values = object["runs"]?.array else {
            throw MalformedDocument("a list of runs without the member \"runs\"")
        }
        var runs: [ReceivedRun] = []
        for value in values { runs.append(try ReceivedRun(json: value)) }
        self.runs = runs
        next = object["next"]?.string
    }
}
