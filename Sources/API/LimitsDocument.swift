internal import JSON
internal import Runs

/// `limits` of a run.
struct LimitsDocument: JSONWritable {
    let limits: Limits

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("timeoutSeconds", limits.timeout.inSeconds)
            document.member("cpuSeconds", limits.cpu.inSeconds)
            document.member("memoryBytes", limits.memoryBytes)
            document.member("processes", limits.processes)
            document.member("outputBytes", limits.outputBytes)
            document.member("diskBytes", limits.diskBytes)
            document.member("openFiles", limits.openFiles)
        }
    }
}
