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

    @Test func `a launcher that is not used leaves no process`() async {
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

    @Test func `an entry without a parent directory fails with step, index and errno`() throws {
        let failure = SetupFailure(step: .rootEntry, index: 1, number: ENOENT)
        #expect(throws: failure) { try start([.directory("/a"), .directory("/b/c")]) }
    }

    @Test func `a directory that the host lacks fails with step, index and errno`() throws {
        let failure = SetupFailure(step: .rootEntry, index: 0, number: ENOENT)
        #expect(throws: failure) { try start([.bind(host: "/does/not/exist", at: "/a")]) }
    }

    @Test func `a directory that a link has replaced is not followed`() throws {
        let directory = try ScratchDirectory()
        // The target is relative to the mount point of the host's file system while the root is being built.
        #expect(symlink("../../usr", directory.path + "/tools") == 0)
        let failure = SetupFailure(step: .rootEntry, index: 0, number: EINVAL)
        #expect(throws: failure) { try start([.bind(host: directory.path + "/tools", at: "/a")]) }
    }

    @Test func `a duplicate entry fails with step, index and errno`() throws {
        let failure = SetupFailure(step: .rootEntry, index: 1, number: EEXIST)
        #expect(throws: failure) { try start([.directory("/a"), .file("/a", contents: [])]) }
    }

    @Test func `more slots than the maximum are refused`() throws {
        let failure = SetupFailure(step: .launcherProcess, number: EINVAL)
        #expect(throws: failure) { try start([], slots: 8193) }
    }

    @Test func `a launcher that cannot be built leaves no descriptor and no process`() async {
        await #expect(processExitsWith: .success) {
            let policy = SandboxPolicy(
                entries: [.directory("/a/b")],
                hostUsers: .serviceUser,
                slots: 1,
                scratchBytes: 1
            )
            // A launcher uses sockets. The test library opens and closes descriptors of other kinds.
            func sockets() -> [Int32: String] { OpenDescriptors.list().filter { $0.value.hasPrefix("socket:") } }
            let before = sockets()
            for _ in 0..<5 { #expect(throws: SetupFailure.self) { _ = try LauncherProcess(policy) } }
            #expect(sockets() == before)
            #expect(!ChildProcesses.exist)
        }
    }

    private func start(_ entries: [SandboxEntry], slots: Int = 1) throws {
        _ = try LauncherProcess(
            SandboxPolicy(entries: entries, hostUsers: .serviceUser, slots: slots, scratchBytes: 1 << 20)
        )
    }
}

@Suite struct PlanMemoryTests {
    @Test func `a copy equals its original and is aligned`() throws {
        let memory = try #require(PlanMemory())
        let text = try #require(memory.copy("a"))
        let numbers = try #require(memory.copy([UInt64.max, 1]))
        #expect(String(cString: text) == "a")
        #expect(numbers[0] == UInt64.max && numbers[1] == 1)
        #expect(UInt(bitPattern: numbers) % 8 == 0)
    }

    @Test func `an empty array takes no memory`() throws {
        let memory = try #require(PlanMemory())
        #expect(memory.copy([UInt64]()) == nil)
        #expect(!memory.hasOverflowed)
    }

    @Test func `an array that does not fit is reported`() throws {
        let memory = try #require(PlanMemory())
        #expect(memory.copy([UInt8](repeating: 0, count: PlanMemory.length + 1)) == nil)
        #expect(memory.hasOverflowed)
    }
}
