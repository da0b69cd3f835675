internal import CLinux
internal import Glibc
public import Reactor
public import Runs
public import Sandbox

/// One run on its way: its slot, its streams, its deadline, and the machine that turns what happens into one outcome.
@Reactor
public final class Execution {
    /// Where the command's input comes from.
    public enum Input {
        /// The specification's bytes.
        case specification
        /// The reading end of a pipe that the owner fills.
        case pipe(Int32)
    }

    /// Called by an execution, all on the reactor.
    public struct Observer {
        /// The command has been started.
        public var started: @Reactor () -> Void
        /// A part of its output, within the limit.
        public var output: @Reactor (OutputStream, UnsafeRawBufferPointer) -> SinkAnswer
        /// It is over; called exactly once, after everything else.
        public var ended: @Reactor (Conclusion) -> Void

        /// An observer.
        public init(
            started: @escaping @Reactor () -> Void,
            output: @escaping @Reactor (OutputStream, UnsafeRawBufferPointer) -> SinkAnswer,
            ended: @escaping @Reactor (Conclusion) -> Void
        ) {
            self.started = started
            self.output = output
            self.ended = ended
        }
    }

    /// How long a slot may take to start a command or to bury one.
    ///
    /// Both take milliseconds; a slot that does not answer for so long is stopped, starved or stuck in the kernel.
    private static let startPatience = Duration.seconds(30)
    private static let killPatience = Duration.seconds(2)

    private let specification: RunSpecification
    private let launcher: Launcher
    private let slot: Slot
    private let observer: Observer
    private var machine: RunMachine
    private var captures: [OutputStream: OutputCapture] = [:]
    private var input: InputFeed?
    private let createdAt = MonotonicTime.now
    private var startedAt: MonotonicTime?
    private var slotUsage: SlotUsage?
    private var timers: [Timer] = []
    /// The file that could not be made.
    private var failedFile: String?

    /// Starts a run.
    ///
    /// Whatever goes wrong later is an outcome, told to the observer.
    ///
    /// - Parameters:
    ///   - specification: what to run.
    ///   - launcher: who makes its slot.
    ///   - input: where its input comes from.
    ///   - blob: where the blob with a digest is; `nil` if it is not there.
    ///   - observer: who is told.
    /// - Throws: what goes wrong at once.
    public init(
        _ specification: RunSpecification,
        on launcher: Launcher,
        input: Input = .specification,
        blob: (String) -> BlobFile? = { _ in nil },
        observer: Observer
    ) throws(Failure) {
        self.specification = specification
        self.launcher = launcher
        self.observer = observer
        machine = RunMachine(timeout: specification.limits.timeout, grace: specification.grace)
        do {
            slot = try launcher.makeSlot(
                scratchBytes: specification.limits.diskBytes,
                image: specification.image,
                sharesNetwork: specification.network == .host
            )
        } catch {
            throw Failure(error)
        }
        do throws(SystemError) {
            try start(
                input,
                inputBlob: try GivenBlobs([specification.standardInput], blob),
                fileBlobs: try GivenBlobs(specification.files.map(\.content), blob)
            )
        } catch {
            // Nobody is told by an observer what is thrown here.
            slot.onReport = nil
            slot.destroy()
            finishStreams()
            throw Failure(SetupFailure(step: .standardStreams, error: error))
        }
    }

    /// Ends the run, with SIGTERM first if it has a grace period.
    public func cancel() {
        handle(.stop(.cancelled))
    }

    /// Goes on reading a stream whose part was answered with `.pause`.
    public func resume(_ stream: OutputStream) {
        // A stream that cannot be watched any more is read at the end, like one that is paused until then.
        try? captures[stream]?.resume()
    }

    /// How many bytes the command has written to a stream, also past the limit.
    public func totalBytes(_ stream: OutputStream) -> Int { captures[stream]?.totalBytes ?? 0 }

    /// The time from its creation to its command's exec; `nil` before that.
    public var spawnDuration: Duration? { startedAt.map { $0.since(createdAt) } }

    // MARK: Starting

    private func start(
        _ input: Input,
        inputBlob: GivenBlobs,
        fileBlobs: GivenBlobs
    ) throws(SystemError) {
        // Asks for its slot before anything else: the slot is being made while the rest is prepared here.
        slot.onReport = { [self] report in
            if case .started(let time) = report {
                startedAt = time
                observer.started()
            }
            if case .outOfMemory(let usage) = report { slotUsage = usage }
            if case .failed(let failure) = report, failure.step == .files, let index = failure.index,
                specification.files.indices.contains(index)
            {
                failedFile = specification.files[index].path
            }
            handle(.report(report))
        }
        let standardInput = try openInput(input, inputBlob)
        let standardOutput = try openOutput(.standardOutput)
        let standardError = try openOutput(.standardError)
        let command = SlotCommand(
            arguments: specification.command,
            environment: specification.fullEnvironment,
            workingDirectory: specification.workingDirectory,
            openFiles: specification.limits.openFiles,
            processes: specification.limits.processes,
            memoryBytes: specification.limits.memoryBytes,
            cpu: cpuThatCanBeUsedUp,
            diskBytes: specification.limits.diskBytes,
            files: specification.files.map { file in
                SlotFile(path: file.path, source: fileBlobs.source(of: file.content), isExecutable: file.isExecutable)
            },
            keepsFiles: !specification.artifacts.isEmpty
        )
        try slot.start(
            command,
            streams: [standardInput.raw, standardOutput.raw, standardError.raw],
            blobCount: fileBlobs.count
        )
        try fileBlobs.send(to: slot)
        armStart()
    }

    /// Read once: it is a file.
    private static let processors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1)

    /// The limit on processor time, where it can be met before the deadline; else none, so that a run which keeps every
    /// processor busy to its last moment has timed out, and nothing else.
    private var cpuThatCanBeUsedUp: Duration {
        let limits = specification.limits
        return limits.cpu < min(limits.timeout, .seconds(1 << 31)) * Self.processors ? limits.cpu : .seconds(1 << 32)
    }

    /// The time in which it waits for another slot to go does not count.
    private func armStart() {
        timers.append(
            Reactor.schedule(at: .now.advanced(by: Self.startPatience)) { [weak self] in
                guard let self else { return }
                if slot.isWaiting { armStart() } else { handle(.slotIsSilent) }
            }
        )
    }

    private func openInput(_ input: Input, _ blobs: GivenBlobs) throws(SystemError) -> Descriptor {
        switch input {
        case .pipe(let raw): return Descriptor(owning: raw)
        case .specification:
            if specification.standardInput.isEmpty {
                let null = open("/dev/null", O_RDONLY | O_CLOEXEC)
                guard null >= 0 else { throw SystemError("open /dev/null") }
                return Descriptor(owning: null)
            }
            var ends: [Int32] = [-1, -1]
            guard sandglass_pipe(&ends, SANDGLASS_PIPE_WRITE_END) == 0 else { throw SystemError("pipe2") }
            let readEnd = Descriptor(owning: ends[0])
            self.input = try InputFeed(
                pipe: Descriptor(owning: ends[1]),
                bytes: specification.standardInput.bytes ?? [],
                file: try blobs.open(specification.standardInput)
            )
            return readEnd
        }
    }

    private func openOutput(_ stream: OutputStream) throws(SystemError) -> Descriptor {
        var ends: [Int32] = [-1, -1]
        guard sandglass_pipe(&ends, SANDGLASS_PIPE_READ_END) == 0 else { throw SystemError("pipe2") }
        let writeEnd = Descriptor(owning: ends[1])
        captures[stream] = try OutputCapture(
            pipe: Descriptor(owning: ends[0]),
            limit: specification.limits.outputBytes,
            sink: { [observer] part in observer.output(stream, part) },
            onPassingLimit: { [weak self] in self?.passedOutputLimit() }
        )
        return writeEnd
    }

    // MARK: Deciding

    private func passedOutputLimit() {
        if specification.onOutputLimit == .kill { handle(.stop(.outputLimit)) }
    }

    private func handle(_ event: RunMachine.Event) {
        for action in machine.handle(event) { perform(action) }
    }

    private func perform(_ action: RunMachine.Action) {
        switch action {
        case .armDeadline(let time):
            timers.append(Reactor.schedule(at: time) { [weak self] in self?.handle(.stop(.timedOut)) })
        // One that does not exist yet cannot be told anything, and need not be made any more.
        case .terminate where slot.isWaiting, .kill where slot.isWaiting: slot.destroy()
        case .terminate: slot.terminate()
        case .armGrace(let grace): arm(after: grace, .graceIsOver)
        case .kill: slot.kill()
        case .armBackstop: arm(after: Self.killPatience, .slotIsSilent)
        case .destroySlot: slot.destroy()
        case .conclude(let outcome, let end): conclude(outcome, end)
        }
    }

    private func arm(after delay: Duration, _ event: RunMachine.Event) {
        timers.append(Reactor.schedule(at: .now.advanced(by: delay)) { [weak self] in self?.handle(event) })
    }

    private func conclude(_ outcome: Outcome, _ end: CommandEnd?) {
        for timer in timers { timer.cancel() }
        timers = []
        finishStreams()
        observer.ended(
            Conclusion(
                outcome: naming(failedFile, in: outcome),
                usage: usage(end),
                outputBytes: totalBytes(.standardOutput),
                errorBytes: totalBytes(.standardError),
                leftFiles: slot.takeLeftFiles()
            )
        )
        // Now that the answer is out.
        launcher.refill()
    }

    private func naming(_ file: String?, in outcome: Outcome) -> Outcome {
        guard let file, case .startFailed(let failure) = outcome else { return outcome }
        return .startFailed(
            Failure(step: failure.step, errno: failure.errno, detail: "\(failure.detail) (\(file))")
        )
    }

    private func finishStreams() {
        input?.finish()
        for capture in captures.values { capture.finish() }
    }

    private func usage(_ end: CommandEnd?) -> Usage? {
        if let end {
            return Usage(
                wall: end.endedAt.since(end.startedAt),
                user: end.user,
                system: end.system,
                peakMemoryBytes: end.peakMemoryBytes
            )
        }
        return startedAt.map { start in
            Usage(
                wall: MonotonicTime.now.since(start),
                user: slotUsage?.user,
                system: slotUsage?.system,
                peakMemoryBytes: slotUsage?.peakMemoryBytes
            )
        }
    }
}
