import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct LauncherProcessTests {
    @Test func `starting and stopping leaves no descriptor and no process`() async {
        await #expect(processExitsWith: .success) {
            try await withLauncher { _ in }
            let before = OpenDescriptors.list()
            for _ in 0..<5 { try await withLauncher { _ in } }
            #expect(OpenDescriptors.list() == before)
            #expect(!ChildProcesses.exist)
        }
    }

    @Test func `one that is not used leaves no process`() async {
        await #expect(processExitsWith: .success) {
            let pid: pid_t
            do {
                let process = try LauncherProcess(.host(slots: 1, scratchBytes: 1 << 20))
                pid = process.pid
            }
            ChildProcesses.awaitDeath(of: pid)
            #expect(!ChildProcesses.exist)
        }
    }

    @Test func `an entry without its folder is named by step, index and errno`() throws {
        let failure = SetupFailure(step: .rootEntry, index: 1, number: ENOENT)
        #expect(throws: failure) { try start([.directory("/a"), .directory("/b/c")]) }
    }

    @Test func `a folder that the host does not have is named by step, index and errno`() throws {
        let failure = SetupFailure(step: .rootEntry, index: 0, number: ENOENT)
        #expect(throws: failure) { try start([.bind(host: "/does/not/exist", at: "/a")]) }
    }

    @Test func `a folder in whose place there is a link by then is not followed`() throws {
        let folder = try ScratchFolder()
        // From where the host's file system stands while the root is being built.
        #expect(symlink("../../usr", folder.path + "/tools") == 0)
        let failure = SetupFailure(step: .rootEntry, index: 0, number: EINVAL)
        #expect(throws: failure) { try start([.bind(host: folder.path + "/tools", at: "/a")]) }
    }

    @Test func `an entry that is there twice is named by step, index and errno`() throws {
        let failure = SetupFailure(step: .rootEntry, index: 1, number: EEXIST)
        #expect(throws: failure) { try start([.directory("/a"), .file("/a", contents: [])]) }
    }

    @Test func `more slots than there are numbers are refused`() throws {
        let failure = SetupFailure(step: .launcherProcess, number: EINVAL)
        #expect(throws: failure) { try start([], slots: 8193) }
    }

    @Test func `one that cannot be built leaves no descriptor and no process`() async {
        await #expect(processExitsWith: .success) {
            let policy = SandboxPolicy(entries: [.directory("/a/b")], hostUsers: .own, slots: 1, scratchBytes: 1)
            // A launcher has sockets; what else comes and goes is the test library's own.
            func sockets() -> [Int32: String] { OpenDescriptors.list().filter { $0.value.hasPrefix("socket:") } }
            let before = sockets()
            for _ in 0..<5 { #expect(throws: SetupFailure.self) { _ = try LauncherProcess(policy) } }
            #expect(sockets() == before)
            #expect(!ChildProcesses.exist)
        }
    }

    private func start(_ entries: [SandboxEntry], slots: Int = 1) throws {
        _ = try LauncherProcess(
            SandboxPolicy(entries: entries, hostUsers: .own, slots: slots, scratchBytes: 1 << 20)
        )
    }
}
