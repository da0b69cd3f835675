import Glibc
import Reactor
import Sandbox
import TestSupport
import Testing

@Suite(.needsSandbox, .timeLimit(.minutes(2))) struct LeftFilesTests {
    /// Runs a script and takes what it leaves.
    @Reactor
    private func left(by script: String, on launcher: Launcher) async throws -> LeftFiles? {
        let slot = try launcher.makeSlot()
        return try await withCheckedThrowingContinuation { continuation in
            slot.onReport = { report in
                if case .started = report { return }
                continuation.resume(returning: slot.takeLeftFiles())
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

    private func error(_ name: String, in folder: borrowing Descriptor, of files: LeftFiles) -> Int32? {
        do throws(SystemError) {
            _ = try files.open(Array(name.utf8), in: folder)
            return nil
        } catch { return error.number }
    }

    @Test func `a file is opened by its name in a folder that is open, as the run's own user`() async throws {
        try await withLauncher { launcher in
            let script = "mkdir d; echo deep > d/f; umask 077; echo secret > s"
            let files = try #require(try await left(by: script, on: launcher))
            let box = try files.openBox()
            let folder = try files.open(Array("d".utf8), in: box)
            #expect(text(try files.open(Array("f".utf8), in: folder)) == "deep\n")
            #expect(text(try files.open(Array("s".utf8), in: box)) == "secret\n")
        }
    }

    @Test func `nothing leads out of a folder, and nothing is followed or waited for`() async throws {
        try await withLauncher { launcher in
            let script = "mkdir d; ln -s /etc/passwd link; ln -s d folder; mkfifo fifo; echo > closed; chmod 0 closed"
            let files = try #require(try await left(by: script, on: launcher))
            let box = try files.openBox()
            for name in ["..", ".", "", "/etc", "d/..", "d/", "../etc"] {
                #expect(error(name, in: box, of: files) == EINVAL, "\(name)")
            }
            #expect(error("link", in: box, of: files) == ELOOP)
            #expect(error("folder", in: box, of: files) == ELOOP)
            #expect(error("closed", in: box, of: files) == EACCES)
            #expect(error("none", in: box, of: files) == ENOENT)
            #expect(error(String(repeating: "x", count: 256), in: box, of: files) == ENAMETOOLONG)
            #expect(error("fifo", in: box, of: files) == nil)
        }
    }

    @Test func `no process of the run is left, and the sandbox goes with what it has left`() async throws {
        try await withLauncher { launcher in
            let pipe = try TestPipe(nonBlocking: .reading)
            var files = try await left(by: "setsid sleep 1000 & echo x > f", on: launcher)
            pipe.closeWriteEnd()
            #expect(files != nil)
            #expect(launcher.livingSlots == 1)
            files = nil
            while launcher.livingSlots > 0 { await Task.yield() }
        }
    }

    @Test func `a sandbox that is gone is told of`() async throws {
        let kept = try await withLauncher { launcher in try await self.left(by: "echo x > f", on: launcher) }
        let files = try #require(kept)
        let number: Int32
        do throws(SystemError) {
            _ = try files.openBox()
            number = 0
        } catch { number = error.number }
        #expect([EPIPE, ECONNRESET].contains(number))
    }

    @Test func `only who asks for them beforehand gets files`() async throws {
        try await withLauncher { launcher in
            let slot = try launcher.makeSlot()
            let files: LeftFiles? = try await withCheckedThrowingContinuation { continuation in
                slot.onReport = { report in
                    if case .started = report { return }
                    continuation.resume(returning: slot.takeLeftFiles())
                }
                do { try slot.start(.make("true")) } catch { continuation.resume(throwing: error) }
            }
            #expect(files == nil)
        }
    }

    /// It takes the five seconds of patience.
    @Test(.enabled(if: geteuid() == 0, "only root sees which sandbox is which"))
    func `a sandbox that does not answer is killed`() async throws {
        try await withLauncher { launcher in
            let files = try #require(try await left(by: "echo x > stopped-\(getpid())", on: launcher))
            // Others may be running tests of their own beside this one.
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
            while launcher.livingSlots > 0 { await Task.yield() }
            withExtendedLifetime(files) {}
        }
    }
}
