import Foundation
import TestSupport

/// A run as the contract describes it.
struct RunDocument: Decodable {
    struct Signal: Decodable, Equatable {
        let number: Int
        let name: String
        let coreDumped: Bool
    }

    struct Failure: Decodable, Equatable {
        let step: String
        let errno: String
        let detail: String
    }

    struct Stream: Decodable, Equatable {
        let text: String
        let encoding: String
        let bytes: Int
        let truncated: Bool
        let cut: Cut?
        let inlined: Bool?

        struct Cut: Decodable, Equatable {
            let offset: Int
            let bytes: Int
        }

        /// The stored bytes.
        var content: [UInt8]? {
            encoding == "utf-8" ? Array(text.utf8) : Data(base64Encoded: text).map { Array($0) }
        }
    }

    /// A file, a link or an empty directory.
    ///
    /// The members of a file are empty for the others.
    struct Artifact: Decodable, Equatable {
        let path: String
        let bytes: Int
        let sha256: String
        let executable: Bool
        let symlink: String?
        let directory: Bool?

        enum CodingKeys: CodingKey { case path, bytes, sha256, executable, symlink, directory }

        init(from decoder: any Decoder) throws {
            let members = try decoder.container(keyedBy: CodingKeys.self)
            path = try members.decode(String.self, forKey: .path)
            symlink = try members.decodeIfPresent(String.self, forKey: .symlink)
            directory = try members.decodeIfPresent(Bool.self, forKey: .directory)
            let isFile = symlink == nil && directory == nil
            bytes = isFile ? try members.decode(Int.self, forKey: .bytes) : 0
            sha256 = isFile ? try members.decode(String.self, forKey: .sha256) : ""
            executable = isFile ? try members.decode(Bool.self, forKey: .executable) : false
            let expected =
                isFile
                ? ["path", "bytes", "sha256", "executable"] : ["path", symlink != nil ? "symlink" : "directory"]
            guard Set(members.allKeys.map(\.stringValue)) == Set(expected) else {
                throw DecodingError.dataCorrupted(
                    DecodingError.Context(codingPath: decoder.codingPath, debugDescription: "unexpected members")
                )
            }
        }
    }

    struct Omitted: Decodable, Equatable {
        let path: String
        let reason: String
        let detail: String
    }

    struct Usage: Decodable {
        let wallSeconds: Double
        let userSeconds: Double?
        let systemSeconds: Double?
        let peakMemoryBytes: Int?
        let maxResidentBytes: Int?
        let queuedSeconds: Double?
    }

    struct Limits: Decodable, Equatable {
        var timeoutSeconds = 10.0
        var cpuSeconds = 20.0
        var memoryBytes = 512 << 20
        var processes = 512
        var outputBytes = 1 << 20
        var diskBytes = 256 << 20
        var openFiles = 256
        var stackBytes = 8 << 20
        var cpus: Double?
    }

    let id: String
    let state: String
    let outcome: String?
    let exitCode: Int?
    let signal: Signal?
    let timedOut: Bool
    let mergeStderr: Bool?
    let keepOutput: String?
    let cached: Bool?
    let error: Failure?
    let stdout: Stream
    let stderr: Stream
    let artifacts: [Artifact]
    let omittedArtifacts: [Omitted]?
    let omittedArtifactCount: Int?
    let usage: Usage?
    let limits: Limits
    let enforcement: [String: String]
    let createdAt: String
    let startedAt: String?
    let finishedAt: String?
    let command: [String]
    let labels: [String: String]

    /// The omitted artifacts, each as "path: reason".
    var omitted: [String] { (omittedArtifacts ?? []).map { "\($0.path): \($0.reason)" } }

    /// The verdict in one value, so that tests can compare it.
    var end: End { End(outcome: outcome, exitCode: exitCode, signal: signal?.name, timedOut: timedOut) }

    /// The four members of the verdict.
    struct End: Equatable {
        let outcome: String?
        let exitCode: Int?
        let signal: String?
        let timedOut: Bool

        static func exited(_ code: Int) -> End { End(outcome: "exited", exitCode: code, signal: nil, timedOut: false) }

        static func signaled(_ name: String) -> End {
            End(outcome: "signaled", exitCode: nil, signal: name, timedOut: false)
        }

        static func timedOut(exitCode: Int? = nil, signal: String? = nil) -> End {
            End(outcome: "timed_out", exitCode: exitCode, signal: signal, timedOut: true)
        }

        /// Timed out and ended by SIGKILL.
        static let timedOut = timedOut(signal: "SIGKILL")
        static let memoryLimit = End(outcome: "memory_limit", exitCode: nil, signal: "SIGKILL", timedOut: false)
        static let cpuLimit = End(outcome: "cpu_limit", exitCode: nil, signal: "SIGKILL", timedOut: false)
        static let startFailed = End(outcome: "start_failed", exitCode: nil, signal: nil, timedOut: false)
        static let unfinished = End(outcome: nil, exitCode: nil, signal: nil, timedOut: false)
    }
}

/// A page of `GET /runs`.
struct RunPage: Decodable {
    /// A run without its output.
    struct Run: Decodable, Equatable {
        let id: String
        let state: String
        let outcome: String?
    }

    let runs: [Run]
    let next: String?

    var ids: [String] { runs.map(\.id) }
}

/// An error (RFC 9457).
struct ProblemDocument: Decodable {
    struct Fault: Decodable {
        let pointer: String
        let detail: String
    }

    let type: String
    let title: String
    let status: Int
    let detail: String
    let errors: [Fault]?

    var pointers: [String] { (errors ?? []).map(\.pointer) }
}

extension HTTPResponse {
    /// Decodes the run in the body.
    func run() throws -> RunDocument { try JSONDecoder().decode(RunDocument.self, from: Data(body)) }

    /// Decodes the page of runs in the body.
    func page() throws -> RunPage { try JSONDecoder().decode(RunPage.self, from: Data(body)) }

    /// Decodes the problem (RFC 9457) in the body.
    func problem() throws -> ProblemDocument { try JSONDecoder().decode(ProblemDocument.self, from: Data(body)) }
}

extension HTTPClient {
    /// Requests `/healthz` and returns the status.
    func health() throws -> Int {
        try get("/healthz")
        return try response().status
    }
}
