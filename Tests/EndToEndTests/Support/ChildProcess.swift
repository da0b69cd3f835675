import CLinux
import Glibc
import System

/// A program that a test started, with pipes at its standard streams.
///
/// The process is killed and reaped when the object is deallocated. Functions throw `SystemError` if a system call fails or
/// if the process does not end in time (ETIME).
final class ChildProcess {
    /// The end of a process (wait(2)).
    enum End: Hashable {
        case exited(Int32)
        case signaled(Int32)
    }

    /// The source of the standard input.
    enum Input {
        /// /dev/null.
        case none
        /// A pipe: the test writes to ``ChildProcess/input`` and closes it.
        case pipe
    }

    let pid: pid_t
    private(set) var input: Int32 = -1
    private var output: Int32 = -1
    private var error: Int32 = -1
    private var end: End?

    /// Starts a program.
    ///
    /// The first argument is a path, or a name that is looked up in this process's PATH.
    init(_ arguments: [String], environment: [String: String] = [:], input: Input = .none) throws {
        let (childInput, parentInput) =
            input == .pipe ? try Self.makePipe(SANDGLASS_PIPE_WRITE_END) : (open("/dev/null", O_RDONLY | O_CLOEXEC), -1)
        let (parentOutput, childOutput) = try Self.makePipe(SANDGLASS_PIPE_READ_END)
        let (parentError, childError) = try Self.makePipe(SANDGLASS_PIPE_READ_END)
        defer { for descriptor in [childInput, childOutput, childError] { Glibc.close(descriptor) } }
        do {
            pid = try Self.spawn(arguments, environment, [childInput, childOutput, childError])
        } catch {
            for descriptor in [parentInput, parentOutput, parentError] where descriptor >= 0 { Glibc.close(descriptor) }
            throw error
        }
        self.input = parentInput
        output = parentOutput
        error = parentError
    }

    deinit {
        if end == nil {
            kill(pid, SIGKILL)
            while waitpid(pid, nil, 0) < 0, errno == EINTR {}
        }
        for descriptor in [input, output, error] where descriptor >= 0 { Glibc.close(descriptor) }
    }

    func send(signal: Int32) { kill(pid, signal) }

    // MARK: Streams

    func closeInput() { Self.close(&input) }

    /// Closes this side of the standard output, as `head` does after its last line.
    func closeOutput() { Self.close(&output) }

    /// The number of output bytes that wait in the pipe (FIONREAD, pipe(7)).
    var unreadOutputBytes: Int {
        var count: Int32 = 0
        return ioctl(output, UInt(FIONREAD), &count) == 0 ? Int(count) : 0
    }

    /// Reads a line of the standard error; returns `nil` at its end.
    func readErrorLine() throws -> String? {
        try Self.readLine(from: error)
    }

    /// Reads a line of the standard output; returns `nil` at its end.
    func readOutputLine() throws -> String? {
        try Self.readLine(from: output)
    }

    // MARK: The end

    /// Waits at most `seconds` for the end of the process without reading its output.
    func wait(atMost seconds: Double = 60) throws -> End {
        if let end { return end }
        var status: Int32 = 0
        var ended: pid_t = 0
        let inTime = eventually(within: seconds) {
            ended = waitpid(pid, &status, WNOHANG)
            return ended != 0
        }
        guard inTime, ended == pid else { throw SystemError("wait for \(pid)", number: ended < 0 ? errno : ETIME) }
        let number = status & 0x7F
        let end: End = number == 0 ? .exited((status >> 8) & 0xFF) : .signaled(number)
        self.end = end
        return end
    }

    /// Writes the input, reads both streams to their ends, and waits for the end of the process.
    ///
    /// Input that the process does not read is discarded.
    func finish(input bytes: [UInt8] = []) throws -> Finished {
        var remaining = bytes[...]
        var collected: [Int32: [UInt8]] = [output: [], error: []]
        var open = [output, error].filter { $0 >= 0 }
        while !open.isEmpty {
            if remaining.isEmpty { closeInput() }
            var polled = open.map { pollfd(fd: $0, events: Int16(POLLIN), revents: 0) }
            polled.append(pollfd(fd: input, events: Int16(POLLOUT), revents: 0))
            guard poll(&polled, nfds_t(polled.count), 60_000) > 0 else { throw SystemError("poll", number: ETIME) }
            if input >= 0, polled[polled.count - 1].revents != 0 { writeSome(&remaining) }
            for ready in polled.dropLast() where ready.revents != 0 {
                let part = Self.readSome(ready.fd)
                if part.isEmpty { open.removeAll { $0 == ready.fd } }
                collected[ready.fd]?.append(contentsOf: part)
            }
        }
        return Finished(end: try wait(), output: collected[output] ?? [], error: collected[error] ?? [])
    }

    /// True once SIGPIPE is ignored: a write to a closed pipe then fails with EPIPE.
    private static let brokenPipesAreIgnored: Bool = {
        signal(SIGPIPE, SIG_IGN)
        return true
    }()

    private func writeSome(_ bytes: inout ArraySlice<UInt8>) {
        guard Self.brokenPipesAreIgnored else { return }
        let count = bytes.withUnsafeBytes { write(input, $0.baseAddress, $0.count) }
        // A closed pipe ends the input.
        bytes = count < 0 && errno != EAGAIN ? [] : bytes.dropFirst(max(count, 0))
    }

    private static func readSome(_ descriptor: Int32) -> [UInt8] {
        [UInt8](unsafeUninitializedCapacity: 64 << 10) { buffer, count in
            count = max(read(descriptor, buffer.baseAddress, buffer.count), 0)
        }
    }

    private static func readLine(from descriptor: Int32) throws -> String? {
        var line: [UInt8] = []
        while true {
            var polled = pollfd(fd: descriptor, events: Int16(POLLIN), revents: 0)
            guard poll(&polled, 1, 60_000) > 0 else { throw SystemError("poll", number: ETIME) }
            var byte: UInt8 = 0
            guard read(descriptor, &byte, 1) == 1 else {
                return line.isEmpty ? nil : String(decoding: line, as: UTF8.self)
            }
            if byte == UInt8(ascii: "\n") { return String(decoding: line, as: UTF8.self) }
            line.append(byte)
        }
    }

    private static func close(_ descriptor: inout Int32) {
        guard descriptor >= 0 else { return }
        Glibc.close(descriptor)
        descriptor = -1
    }

    // MARK: The start

    private static func makePipe(_ own: sandglass_pipe_end) throws -> (read: Int32, write: Int32) {
        var ends: [Int32] = [-1, -1]
        guard sandglass_pipe(&ends, own) == 0 else { throw SystemError("pipe2") }
        return (ends[0], ends[1])
    }

    private static func spawn(
        _ arguments: [String],
        _ environment: [String: String],
        _ streams: [Int32]
    ) throws -> pid_t {
        var actions = posix_spawn_file_actions_t()
        posix_spawn_file_actions_init(&actions)
        defer { posix_spawn_file_actions_destroy(&actions) }
        for (number, descriptor) in streams.enumerated() {
            posix_spawn_file_actions_adddup2(&actions, descriptor, Int32(number))
        }
        var attributes = posix_spawnattr_t()
        posix_spawnattr_init(&attributes)
        defer { posix_spawnattr_destroy(&attributes) }
        var all = sigset_t()
        sigfillset(&all)
        posix_spawnattr_setsigdefault(&attributes, &all)
        var none = sigset_t()
        sigemptyset(&none)
        posix_spawnattr_setsigmask(&attributes, &none)
        posix_spawnattr_setflags(&attributes, Int16(POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETSIGMASK))

        let variables = environment.merging(["PATH": "/usr/sbin:/usr/bin:/sbin:/bin"]) { own, _ in own }
        var argv = arguments.map { strdup($0) } + [nil]
        var envp = variables.map { strdup("\($0.key)=\($0.value)") } + [nil]
        defer { for text in argv + envp { free(text) } }
        var pid: pid_t = 0
        let number = posix_spawnp(&pid, arguments[0], &actions, &attributes, &argv, &envp)
        guard number == 0 else { throw SystemError("start \(arguments)", number: number) }
        return pid
    }
}

extension ChildProcess {
    /// A process that has ended, with its output.
    struct Finished {
        let end: End
        let output: [UInt8]
        let error: [UInt8]

        /// The standard output as text.
        var text: String { String(decoding: output, as: UTF8.self) }
        /// The standard error as text.
        var diagnostics: String { String(decoding: error, as: UTF8.self) }
    }
}
