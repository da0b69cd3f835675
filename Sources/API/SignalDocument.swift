internal import JSON
internal import Runs

/// `signal` of a run.
struct SignalDocument: JSONWritable {
    let signal: Signal

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("number", signal.number)
            document.member("name", signal.name)
            document.member("coreDumped", signal.coreDumped)
        }
    }
}
