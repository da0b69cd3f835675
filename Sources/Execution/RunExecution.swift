internal import CLinux
internal import Glibc
package import Reactor
package import RunModel
package import Sandbox
internal import System

/// The end of an execution.
package struct RunResult: Sendable {
    /// The outcome.
    package let outcome: Outcome
    /// The resources used; `nil` when the command never started.
    package let usage: Usage?
    /// The bytes written to descriptor 1, including those beyond the limit.
    package let outputBytes: Int
    /// The bytes written to descriptor 2, including those beyond the limit.
    package let errorBytes: Int
    /// Access to the files in `/box`, if the run requested artifacts and its slot still exists.
    package let sandboxFiles: SandboxFiles?
}

/// One run in progress: its slot, its streams, its deadline, and the machine that turns their events into one outcome.
@ReactorActor
package final class RunExecution {
    /// The source of the command's standard input.
    package enum Input {
        /// The specification's `stdin`.
        case specification
        /// The read end of a pipe that the caller fills.
        case pipe(Int32)
    }

    /// The callbacks of an execution, all called on the reactor.
    package struct Observer {
        /// Called when the command has started.
        package var started: @ReactorActor () -> Void
        /// Called when a slot has failed before its command began, and another one is tried.
        package var retried: @ReactorActor () -> Void = {}
        /// Called with each part of the output that is within the limit, and with all output of a run that keeps the end
        /// of its streams.
        package var output: @ReactorActor (OutputStream, UnsafeRawBufferPointer) -> Backpressure
        /// Returns whether ``excess`` wants output beyond the limit, which otherwise is not copied.
        package var wantsExcess: @ReactorActor () -> Bool = { false }
        /// Called with each part of the output beyond the limit, and its offset in the stream.
        package var excess: @ReactorActor (OutputStream, Int, UnsafeRawBufferPointer) -> Void = { _, _, _ in }
        /// Called exactly once, after every other callback, when the run is over.
        package var ended: @ReactorActor (RunResult) -> Void

        package init(
            started: @escaping @ReactorActor () -> Void,
            output: @escaping @ReactorActor (OutputStream, UnsafeRawBufferPointer) -> Backpressure,
            ended: @escaping @ReactorActor (RunResult) -> Void
        ) {
            self.started = started
            self.output = output
            self.ended = ended
        }
    }

    /// The longest times that a slot may take to start a command and to end one.
    ///
    /// Both take milliseconds. A slot that is silent for longer is stopped, starved or stuck in the kernel.
    private static let startTimeout = Duration.seconds(30)
    /// The longest time in which earlier slots must end before a run gets its own.
    private static let waitTimeout = Duration.seconds(60)
    private static let killTimeout = Duration.seconds(2)
    /// The number of slots that are tried in place of one that fails before its command began.
    private static let maximumRetries = 3

    private let specification: RunSpecification
    private let launcher: Launcher
    private var slot: Slot
    /// The command until it has started, for another slot.
    private var startRequest: StartRequest?
    private var retries = 0
    private let observer: Observer
    private var machine: RunMachine
    private var captures: [OutputStream: OutputCapture] = [:]
    private var input: InputFeed?
    private let createdAt = MonotonicTime.now
    private var startedAt: MonotonicTime?
    private var slotUsage: SlotUsage?
    private var timers: [Timer] = []
    /// The path of the input file that could not be created.
    private var failedFile: String?

    /// Starts a run.
    ///
    /// A later failure is an outcome, which the observer receives.
    ///
    /// - Parameters:
    ///   - specification: the command with its files and limits.
    ///   - launcher: the launcher that creates the slot.
    ///   - input: the source of standard input.
    ///   - blob: returns the file of the blob with a digest, or `nil` if there is none.
    ///   - observer: the callbacks.
    /// - Throws: an immediate failure; the observer is then never called.
    package init(
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
            slot = try Self.makeSlot(for: specification, on: launcher)
        } catch {
            throw Failure(error)
        }
        do throws(SystemError) {
            try start(
                input,
                inputBlob: try InputBlobs([specification.standardInput], blob),
                fileBlobs: try InputBlobs(specification.files.map(\.content), blob)
            )
        } catch {
            // A thrown error reaches the caller; the observer must not receive it too.
            slot.onReport = nil
            slot.destroy()
            startRequest = nil
            finishStreams()
            throw Failure(SetupFailure(step: .standardStreams, error: error))
        }
    }

    /// Ends the run, with SIGTERM first if it has a grace period.
    package func cancel() {
        handle(.stop(.cancelled))
    }

    /// Resumes reading of a stream that the observer paused.
    package func resume(_ stream: OutputStream) {
        // If the stream can no longer be watched, its rest is read at the end, as for a stream that stays paused.
        try? captures[stream]?.resume()
    }

    /// Returns the bytes that the command has written to a stream, including those beyond the limit.
    package func totalBytes(_ stream: OutputStream) -> Int { captures[stream]?.totalBytes ?? 0 }

    /// The time from the creation of this value to the command's exec; `nil` before the exec.
    package var spawnDuration: Duration? { startedAt.map { $0.since(createdAt) } }

    // MARK: Starting

    private static func makeSlot(
        for specification: RunSpecification,
        on launcher: Launcher
    ) throws(SetupFailure) -> Slot {
        try launcher.makeSlot(
            scratchBytes: specification.limits.diskBytes,
            image: specification.image,
            sharesNetwork: specification.network == .host,
            cpus: specification.limits.cpus
        )
    }

    private func start(
        _ input: Input,
        inputBlob: InputBlobs,
        fileBlobs: InputBlobs
    ) throws(SystemError) {
        // The launcher is already making the slot while the rest is prepared here.
        receiveReports()
        let standardInput = try openInput(input, inputBlob)
        let standardOutput = try openOutput(.standardOutput)
        let standardError =
            specification.mergesStandardError ? try standardOutput.duplicate() : try openOutput(.standardError)
        let command = SlotCommand(
            arguments: specification.command,
            environment: specification.fullEnvironment,
            workingDirectory: specification.workingDirectory,
            openFiles: specification.limits.openFiles,
            processes: specification.limits.processes,
            memoryBytes: specification.limits.memoryBytes,
            cpu: reachableCPULimit,
            diskBytes: specification.limits.diskBytes,
            stackBytes: specification.limits.stackBytes,
            files: specification.files.map(fileBlobs.slotFile),
            keepsFiles: !specification.artifacts.isEmpty
        )
        let request = StartRequest(command, standardInput, standardOutput, standardError, fileBlobs)
        startRequest = request
        try request.send(to: slot)
        armStart()
    }

    private func receiveReports() {
        slot.onReport = { [self] report in
            if isWorthAnotherSlot(report), tryAnotherSlot() { return }
            if case .started(let time) = report {
                startRequest = nil
                startedAt = time
                observer.started()
                readOutput()
            }
            if case .outOfMemory(let usage) = report { slotUsage = usage }
            if case .failed(let failure) = report, failure.step == .files, let index = failure.index,
                specification.files.indices.contains(index)
            {
                let path = specification.files[index].path
                failedFile = path == RunFile.box ? "/box" : path
            }
            handle(.report(report))
        }
    }

    /// Returns whether a slot has failed for a reason that is not the command's.
    private func isWorthAnotherSlot(_ report: SlotReport) -> Bool {
        guard machine.isStarting, startRequest != nil, retries < Self.maximumRetries else { return false }
        return switch report {
        case .failed(let failure): !failure.step.isCommandFault
        case .vanished: true
        case .started, .ended, .outOfMemory: false
        }
    }

    /// Starts the command in another slot, and returns whether that could be requested.
    private func tryAnotherSlot() -> Bool {
        guard let startRequest, let other = try? Self.makeSlot(for: specification, on: launcher) else { return false }
        let failed = slot
        slot = other
        do throws(SystemError) {
            try startRequest.send(to: other)
        } catch {
            other.destroy()
            slot = failed
            return false
        }
        retries += 1
        receiveReports()
        observer.retried()
        return true
    }

    /// Begins to read the output, so that the observer receives the start of the command before its output.
    private func readOutput() {
        do throws(SystemError) {
            for capture in captures.values { try capture.resume() }
        } catch {
            // The command would wait for ever for somebody to read.
            slot.destroy()
        }
    }

    /// The online processors, read once: sysconf(3) opens a file for this value.
    private static let processors = max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1)

    /// The limit on processor time, or a value without effect if the deadline always comes first.
    ///
    /// The outcome of a run that keeps every processor busy until its deadline is therefore always a timeout.
    private var reachableCPULimit: Duration {
        let limits = specification.limits
        return limits.cpu < min(limits.timeout, .seconds(1 << 31)) * Self.processors ? limits.cpu : .seconds(1 << 32)
    }

    /// Limits the time to start the command.
    ///
    /// Time in which the slot waits for an earlier one to end counts only beyond ``waitTimeout``.
    private func armStart() {
        timers.append(
            ReactorActor.schedule(at: .now.advanced(by: Self.startTimeout)) { [weak self] in
                guard let self else { return }
                let isWaiting = slot.isWaiting && MonotonicTime.now.since(createdAt) < Self.waitTimeout
                if isWaiting { armStart() } else { handle(.slotIsSilent) }
            }
        )
    }

    private func openInput(_ input: Input, _ blobs: InputBlobs) throws(SystemError) -> Descriptor {
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
        captures[stream] = OutputCapture(
            pipe: Descriptor(owning: ends[0]),
            limit: specification.limits.outputBytes,
            sink: { [observer] part in observer.output(stream, part) },
            excess: excess(of: stream),
            onPassingLimit: { [weak self] in self?.passedOutputLimit() }
        )
        return writeEnd
    }

    /// Returns the consumer of a stream's bytes beyond its limit.
    private func excess(of stream: OutputStream) -> ExcessOutput {
        let observer = observer
        if specification.keepOutput == .head {
            return ExcessOutput(
                isWanted: observer.wantsExcess,
                take: { offset, part in observer.excess(stream, offset, part) }
            )
        }
        // The end of the stream is within the limit once the command has ended.
        return ExcessOutput(isWanted: { true }, take: { _, part in _ = observer.output(stream, part) })
    }

    // MARK: Events

    private func passedOutputLimit() {
        if specification.onOutputLimit == .kill { handle(.stop(.outputLimit)) }
    }

    private func handle(_ event: RunMachine.Event) {
        for action in machine.handle(event) { perform(action) }
    }

    private func perform(_ action: RunMachine.Action) {
        switch action {
        case .armDeadline(let time):
            timers.append(ReactorActor.schedule(at: time) { [weak self] in self?.handle(.stop(.timedOut)) })
        // A slot that does not exist yet cannot receive a message and need not be created any more.
        case .terminate where slot.isWaiting, .kill where slot.isWaiting: slot.destroy()
        case .terminate: slot.terminate()
        case .armGrace(let grace): arm(after: grace, .graceIsOver)
        case .kill: slot.kill()
        case .armBackstop: arm(after: Self.killTimeout, .slotIsSilent)
        case .destroySlot: slot.destroy()
        case .conclude(let outcome, let end): conclude(outcome, end)
        }
    }

    private func arm(after delay: Duration, _ event: RunMachine.Event) {
        timers.append(ReactorActor.schedule(at: .now.advanced(by: delay)) { [weak self] in self?.handle(event) })
    }

    private func conclude(_ outcome: Outcome, _ end: ExitRecord?) {
        startRequest = nil
        for timer in timers { timer.cancel() }
        timers = []
        finishStreams()
        observer.ended(
            RunResult(
                outcome: StartFailureText(specification: specification, failedFile: failedFile).explain(outcome),
                usage: usage(end),
                outputBytes: totalBytes(.standardOutput),
                errorBytes: totalBytes(.standardError),
                sandboxFiles: slot.takeFiles()
            )
        )
        // The refill comes last, because the new slots must not delay the response.
        launcher.refill()
    }

    private func finishStreams() {
        input?.finish()
        for capture in captures.values { capture.finish() }
    }

    private func usage(_ end: ExitRecord?) -> Usage? {
        if let end {
            return Usage(
                wall: end.endedAt.since(end.startedAt),
                user: end.user,
                system: end.system,
                peakMemoryBytes: end.peakMemoryBytes,
                maxResidentBytes: end.maxResidentBytes,
                memoryAtEnd: end.memoryAtEnd
            )
        }
        return startedAt.map { start in
            Usage(
                wall: MonotonicTime.now.since(start),
                user: slotUsage?.user,
                system: slotUsage?.system,
                peakMemoryBytes: slotUsage?.peakMemoryBytes,
                maxResidentBytes: slotUsage?.maxResidentBytes,
                memoryAtEnd: slotUsage?.memoryAtEnd
            )
        }
    }
}
