internal import CLauncher
internal import CLinux
internal import Glibc
internal import Reactor

/// The policy in the form that the launcher reads: plain C data, made before the fork.
enum LauncherPlan {
    /// Forks a launcher with this policy.
    ///
    /// Its first report says whether it is ready.
    ///
    /// - Returns: its pid, and this side's end of its socket.
    static func startLauncher(
        _ policy: SandboxPolicy,
        _ cgroups: CgroupTree?
    ) throws(SetupFailure) -> (pid: pid_t, socket: Int32) {
        switch policy.hostUsers {
        case .own: return try fork(policy, cgroups, firstUser: 0, claim: -1)
        case .eachItsOwn:
            let range = try HostUserRange.claim()
            let launcher = try fork(policy, cgroups, firstUser: range.first, claim: range.claim.raw)
            // The launcher has the claim from now on.
            _ = consume range
            return launcher
        }
    }

    private static func fork(
        _ policy: SandboxPolicy,
        _ cgroups: CgroupTree?,
        firstUser: UInt32,
        claim: Int32
    ) throws(SetupFailure) -> (pid: pid_t, socket: Int32) {
        guard let memory = PlanMemory(), let entryMemory = PlanMemory() else {
            throw SetupFailure(step: .launcherProcess, number: errno)
        }

        func keep(_ text: String) -> UnsafePointer<CChar>? { memory.keep(text) }
        func keep<Element>(_ elements: [Element]) -> UnsafePointer<Element>? { memory.keep(elements) }

        func planned(_ entry: SandboxEntry) -> sandglass_entry {
            var planned = sandglass_entry()
            planned.mode = 0o755
            planned.target = entryMemory.keep(entry.path)
            switch entry {
            case .directory: planned.kind = SANDGLASS_ENTRY_DIRECTORY.rawValue
            case .bind(let host, _):
                planned.kind = SANDGLASS_ENTRY_BIND.rawValue
                planned.source = entryMemory.keep(host)
            case .bindFile(let host, _):
                planned.kind = SANDGLASS_ENTRY_BIND_FILE.rawValue
                planned.source = entryMemory.keep(host)
            case .deviceFolder: planned.kind = SANDGLASS_ENTRY_DEVICE_FOLDER.rawValue
            case .device(let path):
                planned.kind = SANDGLASS_ENTRY_DEVICE.rawValue
                planned.source = entryMemory.keep(path)
            case .file(_, let contents, let isExecutable):
                planned.kind = SANDGLASS_ENTRY_FILE.rawValue
                planned.mode = isExecutable ? 0o755 : 0o644
                planned.contents = UnsafeRawPointer(entryMemory.keep(contents))
                planned.length = contents.count
            case .symbolicLink(_, let target):
                planned.kind = SANDGLASS_ENTRY_SYMBOLIC_LINK.rawValue
                planned.source = entryMemory.keep(target)
            }
            return planned
        }

        func filter(_ program: [UInt64]) -> sandglass_filter {
            sandglass_filter(instructions: UnsafeRawPointer(keep(program)), length: UInt32(program.count))
        }

        var plan = sandglass_plan()
        plan.walls = policy.walls.rawValue
        plan.required_walls = policy.requiredWalls.rawValue
        if policy.walls.contains(.systemCallFilter) {
            plan.filter = filter(try SystemCallFilter.program.get())
            plan.slot_filter = filter(SystemCallFilter.slotProgram)
        }
        plan.entries = entryMemory.keep(policy.entries.map(planned))
        plan.entry_count = UInt32(policy.entries.count)
        let images = policy.images.map { image in
            let entries = image.entries
            return sandglass_image(entries: entryMemory.keep(entries.map(planned)), entry_count: UInt32(entries.count))
        }
        plan.images = keep(images)
        plan.image_count = UInt32(images.count)
        plan.allows_host_network = policy.allowsHostNetwork ? 1 : 0
        plan.masks = keep(policy.masks.map { sandglass_mask(path: keep($0.path), is_folder: $0.isFolder ? 1 : 0) })
        plan.mask_count = UInt32(policy.masks.count)
        plan.proc_is_writable = policy.procIsWritable ? 1 : 0
        plan.slots = UInt32(policy.slots)
        plan.first_host_user = firstUser
        plan.users_claim = claim
        plan.user = SandboxPolicy.user
        plan.host_name = keep(SandboxPolicy.hostName)
        plan.scratch_inodes = UInt64(SandboxPolicy.scratchInodes)
        // All of them: a command may leave the ones that this process was put on (sched_setaffinity(2)).
        plan.processors = UInt32(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1))
        plan.cgroups.folders = (-1, -1, -1)
        if let cgroups {
            plan.cgroups.version = cgroups.version.rawValue
            plan.cgroups.name = keep(cgroups.name)
            plan.cgroups.folders = (
                cgroups.descriptor(.memory) ?? -1, cgroups.descriptor(.processes) ?? -1, cgroups.descriptor(.cpu) ?? -1
            )
        }
        plan.command_nice = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
        // Whoever ends a run must not stand in line behind it.
        plan.supervisor_nice = max(plan.command_nice - 10, -20)

        // They stand one behind the other (execve(2)), and a library's host may have moved the first: then they stay.
        let arguments = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0] }
        if let first = arguments.first, let last = arguments.last {
            let length = last + strlen(last) - first
            if length > 0, length == arguments.reduce(-1, { $0 + Int(strlen($1)) + 1 }) {
                plan.command_line = first
                plan.command_line_length = length
            }
        }

        guard !memory.isFull, !entryMemory.isFull else { throw SetupFailure(step: .launcherProcess, number: ENOMEM) }
        plan.memory = UnsafeRawPointer(memory.start)
        plan.memory_length = PlanMemory.length

        var socket: Int32 = -1
        let pid = sandglass_launcher_start(&plan, &socket)
        guard pid > 0 else { throw SetupFailure(step: .launcherProcess, number: errno) }
        return (pid, socket)
    }
}
