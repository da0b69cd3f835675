package import JSON
package import RunModel

/// The JSON document of a run ("The run" in the HTTP contract).
///
/// ``ReceivedRun`` reads the same document.
package enum RunDocument {
    /// The maximum number of bytes of a stream in the document; the stream's own URL serves the rest.
    package static let inlinedBytes = 1 << 20

    /// The output size in bytes above which a run is rendered outside the reactor's thread.
    private static let smallOutput = 64 << 10

    /// The number of artifacts above which a run is rendered outside the reactor's thread.
    private static let fewArtifacts = 200

    /// Returns whether rendering the run takes so long that it would delay other runs.
    package static func isLarge(_ run: Run) -> Bool {
        run.standardOutput.keptBytes + run.standardError.keptBytes > smallOutput || isLarge([run])
    }

    /// Returns whether rendering a page of runs without their output would delay other runs.
    package static func isLarge(_ runs: [Run]) -> Bool {
        runs.reduce(0) { $0 + ($1.result?.artifacts.kept.count ?? 0) + $1.specification.recordedFiles.count }
            > fewArtifacts
    }

    /// Renders a run with its output.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - isCached: whether the run is the earlier result of another request (`"cached": true`).
    /// - Returns: JSON text in UTF-8 with a final line feed.
    package static func render(_ run: Run, isCached: Bool = false) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024 + run.standardOutput.keptBytes + run.standardError.keptBytes)
        writer.object { document in
            write(run, withOutput: true, to: &document)
            if isCached { document.member("cached", true) }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// Renders a page of a list of runs, without their output.
    ///
    /// - Parameters:
    ///   - runs: the runs of the page.
    ///   - next: the cursor of the next page; `nil` on the last page.
    /// - Returns: JSON text in UTF-8 with a final line feed.
    package static func render(_ runs: [Run], next: RunID?) -> [UInt8] {
        var writer = JSONWriter(capacity: 128 + 1024 * runs.count)
        writer.object { page in
            page.member("runs") { list in
                list.array { list in
                    for run in runs { list.object { write(run, withOutput: false, to: &$0) } }
                }
            }
            page.member("next", next?.description)
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// Writes the members of a run.
    package static func write(_ run: Run, withOutput: Bool, to document: inout JSONWriter) {
        let outcome = run.result?.outcome
        document.member("id", run.id.description)
        document.member("state", run.state.rawValue)
        document.member("outcome", outcome?.name)
        document.member("exitCode", outcome?.exitCode)
        document.member("signal") { $0.value(outcome?.signal.map(SignalDocument.init)) }
        document.member("timedOut", outcome?.kind == .timedOut)
        document.member("error") {
            $0.value((outcome?.failure ?? run.result?.cancellation?.failure).map(FailureDocument.init))
        }
        if withOutput {
            let keepOutput = run.specification.keepOutput
            document.member("stdout") { $0.value(OutputDocument(output: run.standardOutput, keepOutput: keepOutput)) }
            document.member("stderr") { $0.value(OutputDocument(output: run.standardError, keepOutput: keepOutput)) }
        }
        if run.specification.mergesStandardError { document.member("mergeStderr", true) }
        if run.specification.keepOutput != .head {
            document.member("keepOutput", run.specification.keepOutput.rawValue)
        }
        let artifacts = run.result?.artifacts ?? .none
        document.member("artifacts") { list in
            list.array { list in
                for artifact in artifacts.kept { list.object { write(artifact, to: &$0) } }
            }
        }
        if artifacts.omittedCount > 0 { write(artifacts.omitted, count: artifacts.omittedCount, to: &document) }
        document.member("usage") { $0.value(run.result?.usage.map(UsageDocument.init)) }
        document.member("limits") { $0.object { run.specification.limits.write(Limits.table, to: &$0) } }
        document.member("enforcement") { $0.value(EnforcementDocument(enforcement: run.enforcement)) }
        document.member("createdAt", run.createdAt.description)
        document.member("startedAt", run.startedAt?.description)
        document.member("finishedAt", run.result?.finishedAt.description)
        document.member("command") { command in
            command.array { elements in
                for element in run.specification.command { elements.element(element) }
            }
        }
        writeRequest(run, to: &document)
        document.member("labels") { labels in
            labels.object { labels in
                for (key, value) in run.specification.labels.sorted(by: { $0.key < $1.key }) {
                    labels.member(key, value)
                }
            }
        }
    }

    /// Writes the parts of the request that no other member tells.
    private static func writeRequest(_ run: Run, to document: inout JSONWriter) {
        let specification = run.specification
        document.member("image", specification.image)
        document.member("network", specification.network.rawValue)
        document.member("workingDirectory", specification.workingDirectory)
        if specification.grace != .zero { document.member("graceSeconds", specification.grace.inSeconds) }
        if specification.onOutputLimit != .truncate {
            document.member("onOutputLimit", specification.onOutputLimit.rawValue)
        }
        if !specification.recordedFiles.isEmpty {
            document.member("files") { list in
                list.array { list in
                    for file in specification.recordedFiles { list.object { write(file, to: &$0) } }
                }
            }
        }
        if !specification.artifacts.isEmpty {
            document.member("artifactPatterns") { list in
                list.array { list in
                    for glob in specification.artifacts { list.element(glob.text) }
                }
            }
        }
        document.member("principal", run.principal.isEmpty ? nil : run.principal)
    }

    private static func write(_ file: RecordedFile, to document: inout JSONWriter) {
        document.member("path", file.path)
        if let content = file.content {
            document.member("bytes", content.bytes)
            document.member("sha256", content.sha256)
        }
        switch file.kind {
        case .regular(_, let isExecutable): document.member("executable", isExecutable)
        case .symbolicLink(let target): document.member("symlink", target)
        case .directory: document.member("directory", true)
        case .archive: document.member("tar", true)
        }
    }

    private static func write(_ artifact: Artifact, to document: inout JSONWriter) {
        document.member("path", artifact.path)
        switch artifact.kind {
        case .regular(let bytes, let sha256, let isExecutable):
            document.member("bytes", bytes)
            document.member("sha256", sha256)
            document.member("executable", isExecutable)
        case .symbolicLink(let target): document.member("symlink", target)
        case .directory: document.member("directory", true)
        }
    }

    private static func write(_ omitted: [OmittedArtifact], count: Int, to document: inout JSONWriter) {
        document.member("omittedArtifacts") { list in
            list.array { list in
                for artifact in omitted {
                    list.object { entry in
                        entry.member("path", artifact.path)
                        entry.member("reason", artifact.reason.rawValue)
                        entry.member("detail", artifact.detail)
                    }
                }
            }
        }
        document.member("omittedArtifactCount", count)
    }
}

extension Limits {
    /// Writes the limits of a table as members.
    func write(_ table: [LimitDescription], to document: inout JSONWriter) {
        // The span does not copy its rows. A loop over the array would copy each of them, at 0.1 µs per row.
        let rows = table.span
        for index in rows.indices {
            switch rows[index].value {
            case .seconds(let get, _): document.member(rows[index].name, get(self).inSeconds)
            case .number(_, let get, _): document.member(rows[index].name, get(self))
            case .decimal(_, let get, _): document.member(rows[index].name, get(self))
            }
        }
    }
}

/// The member `enforcement` of a run and of the capabilities.
struct EnforcementDocument: JSONWritable {
    let enforcement: Enforcement

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("memory", enforcement.memory.rawValue)
            document.member("processes", enforcement.processes.rawValue)
            document.member("cpu", enforcement.cpu.rawValue)
            document.member("network", enforcement.network.rawValue)
            document.member("filesystem", enforcement.filesystem.rawValue)
            document.member("syscalls", enforcement.syscalls.rawValue)
            if let cpus = enforcement.cpus { document.member("cpus", cpus.rawValue) }
            if let filters = enforcement.filters { document.member("filters", filters.rawValue) }
        }
    }
}

private struct SignalDocument: JSONWritable {
    let signal: Signal

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("number", signal.number)
            document.member("name", signal.name)
            document.member("coreDumped", signal.coreDumped)
        }
    }
}

private struct FailureDocument: JSONWritable {
    let failure: Failure

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("step", failure.step)
            document.member("errno", failure.errno)
            document.member("detail", failure.detail)
        }
    }
}

private struct UsageDocument: JSONWritable {
    let usage: Usage

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("wallSeconds", usage.wall.inSeconds)
            document.member("userSeconds", usage.user?.inSeconds)
            document.member("systemSeconds", usage.system?.inSeconds)
            document.member("peakMemoryBytes", usage.peakMemoryBytes)
            document.member("maxResidentBytes", usage.maxResidentBytes)
            if let memory = usage.memoryAtEnd {
                document.member("memoryAtEnd") { writer in
                    writer.object { document in
                        document.member("cacheBytes", memory.cacheBytes)
                        document.member("sharedBytes", memory.sharedBytes)
                        document.member("kernelBytes", memory.kernelBytes)
                    }
                }
            }
            document.member("queuedSeconds", usage.queued?.inSeconds)
        }
    }
}

extension Duration {
    /// The duration as a JSON number: seconds, exact to the nanosecond.
    package var inSeconds: Double {
        let (seconds, attoseconds) = components
        let nanoseconds = seconds.multipliedReportingOverflow(by: 1_000_000_000)
        guard !nanoseconds.overflow else { return Double(seconds) }
        // A single division, so that 50 ms become exactly 0.05.
        return Double(nanoseconds.partialValue + attoseconds / 1_000_000_000) / 1e9
    }
}
