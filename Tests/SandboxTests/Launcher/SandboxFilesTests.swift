import Glibc
import Reactor
import Sandbox
import System
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct SandboxFilesTests {
    /// Runs a script and returns the files that it leaves.
    @ReactorActor
    private func files(leftBy script: String, on launcher: Launcher) async throws -> SandboxFiles? {
        let slot = try launcher.makeSlot()
        return try await withCheckedThrowingContinuation { continuation in
            slot.onReport = { report in
                if case .started = report { return }
                continuation.resume(returning: slot.takeFiles())
            }
            do { try slot.start(.make("sh", "-c", script, keepsFiles: true)) } catch {
                continuation.resume(throwing: error)
            }
        }
    }

    private func text(_ file: borrowing Descriptor) -> String {
        var buffer = [UInt8](repeating: 0, count: 100)
        let count = read(file.raw, &buffer, buffer.count)
        return String(decoding: buffer.prefix(max(count, 0)), as: UTF8.self)
    }

    private func error(_ name: String, in directory: borrowing Descriptor, of files: SandboxFiles) -> Int32? {
        do throws(SystemError) {
            _ = try files.open(Array(name.utf8), in: directory)
            return nil
        } catch { return error.number }
    }

    @Test func `a file is opened by name in an open directory, with the rights of the run's user`() async throws {
        try await withLauncher { launcher in
            let script = "mkdir d; echo deep > d/f; umask 077; echo secret > s"
            let files = try #require(try await self.files(leftBy: script, on: launcher))
            let box = try files.openBox()
            let directory = try files.open(Array("d".utf8), in: box)
            #expect(text(try files.open(Array("f".utf8), in: directory)) == "deep\n")
            #expect(text(try files.open(Array("s".utf8), in: box)) == "secret\n")
        }
    }

    @Test func `no name leads out of a directory, no link is followed, and no open blocks`() async throws {
        try await withLauncher { launcher in
            let script =
                "mkdir d; ln -s /etc/passwd link; ln -s d directory; mkfifo fifo; echo > closed; chmod 0 closed"
            let files = try #require(try await self.files(leftBy: script, on: launcher))
            let box = try files.openBox()
            for name in ["..", ".", "", "/etc", "d/..", "d/", "../etc"] {
                #expect(error(name, in: box, of: files) == EINVAL, "\(name)")
            }
            #expect(error("link", in: box, of: files) == ELOOP)
            #expect(error("directory", in: box, of: files) == ELOOP)
            #expect(error("closed", in: box, of: files) == EACCES)
            #expect(error("none", in: box, of: files) == ENOENT)
            #expect(error(String(repeating: "x", count: 256), in: box, of: files) == ENAMETOOLONG)
            #expect(error("fifo", in: box, of: files) == nil)
        }
    }

    @Test func `no process of the run is left, and releasing the files ends the sandbox`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            var files = try await self.files(leftBy: "setsid sleep 1000 & echo x > f", on: launcher)
            pipe.closeWriteEnd()
            #expect(files != nil)
            #expect(launcher.liveSlots == 1)
            files = nil
            while launcher.liveSlots > 0 { await Task.yield() }
        }
    }

    @Test func `opening a file of a sandbox that is gone fails`() async throws {
        let kept = try await withLauncher { launcher in try await self.files(leftBy: "echo x > f", on: launcher) }
        let files = try #require(kept)
        let number: Int32
        do throws(SystemError) {
            _ = try files.openBox()
            number = 0
        } catch { number = error.number }
        #expect([EPIPE, ECONNRESET].contains(number))
    }

    @Test func `a command that does not keep its files has none`() async throws {
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let files: SandboxFiles? = try await withCheckedThrowingContinuation { continuation in
                slot.onReport = { report in
                    if case .started = report { return }
                    continuation.resume(returning: slot.takeFiles())
                }
                do { try slot.start(.make("true")) } catch { continuation.resume(throwing: error) }
            }
            #expect(files == nil)
        }
    }

    /// The test takes the five seconds of the timeout.
    @Test(.enabled(if: geteuid() == 0, "only root can tell the sandboxes apart"))
    func `a sandbox that does not respond is killed`() async throws {
        try await withLauncher { launcher in
            let files = try #require(try await self.files(leftBy: "echo x > stopped-\(getpid())", on: launcher))
            // Other tests may run slots at the same time.
            let slots = ChildProcesses.below(getpid()).filter { slot in
                ChildProcesses.name(of: slot) == "sg-slot"
                    && access("/proc/\(slot)/root/box/stopped-\(getpid())", F_OK) == 0
            }
            #expect(slots.count == 1)
            for slot in slots { kill(slot, SIGSTOP) }
            let number: Int32
            do throws(SystemError) {
                _ = try files.openBox()
                number = 0
            } catch { number = error.number }
            #expect(number == ETIMEDOUT)
            while launcher.liveSlots > 0 { await Task.yield() }
            withExtendedLifetime(files) {}
        }
    }
}
