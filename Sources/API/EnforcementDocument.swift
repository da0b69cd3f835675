internal import JSON
internal import Runs

/// `enforcement` of a run.
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
        }
    }
}
