internal import Glibc
internal import JSON
public import Runs

/// A run as clients see it (the contract's "The run").
public enum RunDocument {
    /// The most bytes of a stream that stand in the document; the stream's own URL serves the rest.
    static let inlinedBytes = 1 << 20

    /// Output above this is rendered away from the reactor's thread.
    private static let smallOutput = 64 << 10

    /// And so are more files than these.
    private static let fewArtifacts = 200

    /// Whether rendering it takes so long that other runs would notice.
    static func isLarge(_ run: Run) -> Bool {
        run.standardOutput.keptBytes + run.standardError.keptBytes > smallOutput || isLarge([run])
    }

    /// The same of some runs without what they wrote.
    static func isLarge(_ runs: [Run]) -> Bool {
        runs.reduce(0) { $0 + ($1.result?.artifacts.kept.count ?? 0) } > fewArtifacts
    }

    /// The JSON text, with a line end.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - isCached: whether it is the earlier run that answers for another wish (`"cached": true`).
    /// - Returns: UTF-8.
    public static func render(_ run: Run, isCached: Bool = false) -> [UInt8] {
        var writer = JSONWriter(capacity: 1024 + run.standardOutput.keptBytes + run.standardError.keptBytes)
        writer.object { document in
            write(run, withOutput: true, to: &document)
            if isCached { document.member("cached", true) }
        }
        return writer.bytes + [UInt8(ascii: "\n")]
    }

    /// A page of a list, without what the runs wrote.
    static func render(_ runs: [Run], next: RunID?) -> [UInt8] {
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

    /// The members of a run.
    static func write(_ run: Run, withOutput: Bool, to document: inout JSONWriter) {
        let outcome = run.result?.outcome
        document.member("id", run.id.description)
        document.member("state", run.state.rawValue)
        document.member("outcome", outcome?.name)
        document.member("exitCode", outcome?.exitCode)
        document.member("signal") { $0.value(outcome?.signal.map(SignalDocument.init)) }
        document.member("timedOut", outcome?.name == "timed_out")
        document.member("error") { $0.value(outcome?.failure.map(FailureDocument.init)) }
        if withOutput {
            document.member("stdout") { $0.value(OutputDocument(output: run.standardOutput)) }
            document.member("stderr") { $0.value(OutputDocument(output: run.standardError)) }
        }
        let artifacts = run.result?.artifacts ?? .none
        document.member("artifacts") { list in
            list.array { list in
                for artifact in artifacts.kept { list.object { write(artifact, to: &$0) } }
            }
        }
        if artifacts.omittedCount > 0 { write(artifacts.omitted, count: artifacts.omittedCount, to: &document) }
        document.member("usage") { $0.value(run.result?.usage.map(UsageDocument.init)) }
        document.member("limits") { $0.value(LimitsDocument(limits: run.specification.limits)) }
        document.member("enforcement") { $0.value(EnforcementDocument(enforcement: run.enforcement)) }
        document.member("createdAt", run.createdAt.description)
        document.member("startedAt", run.startedAt?.description)
        document.member("finishedAt", run.result?.finishedAt.description)
        document.member("command") { command in
            command.array { elements in
                for element in run.specification.command { elements.element(element) }
            }
        }
        document.member("labels") { labels in
            labels.object { labels in
                for (key, value) in run.specification.labels.sorted(by: { $0.key < $1.key }) {
                    labels.member(key, value)
                }
            }
        }
    }

    private static func write(_ artifact: Artifact, to document: inout JSONWriter) {
        document.member("path", artifact.path)
        document.member("bytes", artifact.bytes)
        document.member("sha256", artifact.sha256)
        document.member("executable", artifact.isExecutable)
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
