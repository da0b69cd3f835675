internal import CLinux
internal import Glibc
internal import Reactor
internal import Sandbox
internal import Store

/// What a server gives up once its launcher runs, and before it listens to anybody.
enum Privileges {
    /// Who the server becomes, if it is root.
    static var serviceUser: UInt32? { geteuid() == 0 ? HostUserRange.serviceUser : nil }

    /// Becomes an ordinary user that is nobody else's, and lets nothing be gained by exec and nobody look inside.
    ///
    /// Whoever takes the HTTP server over then has the launcher's socket, by which commands can be run in sandboxes, and the
    /// output of runs: nothing else of the host's.
    static func drop() throws(SystemError) {
        if let user = serviceUser, sandglass_become(user) < 0 { throw SystemError("become user \(user)") }
        if sandglass_close_process() < 0 { throw SystemError("prctl") }
    }
}
