internal import JSON
internal import Runs

/// `error` of a run.
struct FailureDocument: JSONWritable {
    let failure: Failure

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("step", failure.step)
            document.member("errno", failure.errno)
            document.member("detail", failure.detail)
        }
    }
}
