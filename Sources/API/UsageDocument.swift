internal import JSON
internal import Runs

/// `usage` of a run.
struct UsageDocument: JSONWritable {
    let usage: Usage

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("wallSeconds", usage.wall.inSeconds)
            document.member("userSeconds", usage.user?.inSeconds)
            document.member("systemSeconds", usage.system?.inSeconds)
            document.member("peakMemoryBytes", usage.peakMemoryBytes)
            document.member("queuedSeconds", usage.queued?.inSeconds)
        }
    }
}
