internal import CLauncher
internal import CLinux
internal import Glibc
internal import Reactor
internal import System

/// A sandbox policy in the form that the launcher reads: plain C data, prepared before the fork.
enum LauncherPlan {
    /// Forks a launcher with a policy.
    ///
    /// The launcher's first report tells whether it is ready.
    ///
    /// - Parameters:
    ///   - policy: the view, users and protections of commands.
    ///   - cgroups: the directories in which the launcher creates control groups; `nil` for none.
    /// - Returns: the launcher's pid, and this process's end of its socket.
    /// - Throws: a failure when no host users are free, memory is short or the fork fails.
    static func startLauncher(
        _ policy: SandboxPolicy,
        _ cgroups: CgroupTree?
    ) throws(SetupFailure) -> (pid: pid_t, socket: Int32) {
        switch policy.hostUsers {
        case .serviceUser: return try fork(policy, cgroups, firstUser: 0, claim: -1)
        case .perSlot:
            let range = try HostUserRange.claim()
            let launcher = try fork(policy, cgroups, firstUser: range.first, claim: range.claim.raw)
            // From now on the launcher's own descriptor keeps the claim.
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
        // The launcher needs the entries only while it builds the root, so it does not keep their mapping.
        guard let memory = PlanMemory(), let entryMemory = PlanMemory() else {
            throw SetupFailure(step: .launcherProcess, number: errno)
        }

        func copy(_ text: String) -> UnsafePointer<CChar>? { memory.copy(text) }
        func copy<Element>(_ elements: [Element]) -> UnsafePointer<Element>? { memory.copy(elements) }

        func makeEntry(_ entry: SandboxEntry) -> sandglass_entry {
            var result = sandglass_entry()
            result.mode = 0o755
            result.target = entryMemory.copy(entry.path)
            switch entry {
            case .directory: result.kind = SANDGLASS_ENTRY_DIRECTORY.rawValue
            case .bind(let host, _):
                result.kind = SANDGLASS_ENTRY_BIND.rawValue
                result.source = entryMemory.copy(host)
            case .bindFile(let host, _):
                result.kind = SANDGLASS_ENTRY_BIND_FILE.rawValue
                result.source = entryMemory.copy(host)
            case .deviceDirectory: result.kind = SANDGLASS_ENTRY_DEVICE_DIRECTORY.rawValue
            case .device(let path):
                result.kind = SANDGLASS_ENTRY_DEVICE.rawValue
                result.source = entryMemory.copy(path)
            case .file(_, let contents, let isExecutable):
                result.kind = SANDGLASS_ENTRY_FILE.rawValue
                result.mode = isExecutable ? 0o755 : 0o644
                result.contents = UnsafeRawPointer(entryMemory.copy(contents))
                result.length = contents.count
            case .symbolicLink(_, let target):
                result.kind = SANDGLASS_ENTRY_SYMBOLIC_LINK.rawValue
                result.source = entryMemory.copy(target)
            }
            return result
        }

        func filter(_ program: [UInt64]) -> sandglass_filter {
            sandglass_filter(instructions: UnsafeRawPointer(copy(program)), length: UInt32(program.count))
        }

        var plan = sandglass_plan()
        plan.protections = policy.protections.rawValue
        plan.required_protections = policy.requiredProtections.rawValue
        if policy.protections.contains(.systemCallFilter) {
            plan.set_up_key = UInt64.random(in: .min ... .max)
            plan.filter = filter(
                try SystemCallFilter.program(key: plan.set_up_key, allowsFilters: policy.allowsFilters)
            )
        }
        let views = cgroups?.views ?? []
        let entries = policy.entries + views.flatMap(\.entries)
        plan.entries = entryMemory.copy(entries.map(makeEntry))
        plan.entry_count = UInt32(entries.count)
        let images = policy.images.map { image in
            let entries = image.entries + views.flatMap(\.entries)
            return sandglass_image(
                entries: entryMemory.copy(entries.map(makeEntry)),
                entry_count: UInt32(entries.count)
            )
        }
        plan.images = copy(images)
        plan.image_count = UInt32(images.count)
        plan.allows_host_network = policy.allowsHostNetwork ? 1 : 0
        plan.masks = copy(
            policy.masks.map { sandglass_mask(path: copy($0.path), is_directory: $0.isDirectory ? 1 : 0) }
        )
        plan.mask_count = UInt32(policy.masks.count)
        plan.proc_is_writable = policy.procIsWritable ? 1 : 0
        plan.slots = UInt32(policy.slots)
        plan.first_host_user = firstUser
        plan.users_claim = claim
        plan.user = SandboxPolicy.user
        plan.view_owner = firstUser == 0 ? 0 : HostUserRange.serviceUser
        plan.host_name = copy(SandboxPolicy.hostName)
        plan.scratch_inodes = UInt64(SandboxPolicy.scratchInodes)
        // The plan has all processors of the host, because a command may leave the set that this process is bound to
        // (sched_setaffinity(2)).
        plan.processors = UInt32(max(sysconf(Int32(_SC_NPROCESSORS_ONLN)), 1))
        plan.cgroups.directories = (-1, -1, -1, -1, -1)
        if let cgroups {
            plan.cgroups.version = cgroups.version.rawValue
            plan.cgroups.name = copy(cgroups.name)
            plan.cgroups.directories = (
                cgroups.descriptor(.memory) ?? -1, cgroups.descriptor(.processes) ?? -1, cgroups.descriptor(.cpu) ?? -1,
                cgroups.descriptor(.quota) ?? -1, cgroups.descriptor(.cpuset) ?? -1
            )
            plan.cgroups.views = copy(
                views.map {
                    sandglass_cgroup_view(
                        controller: UInt32($0.controller.rawValue),
                        options: $0.names.isEmpty ? nil : copy($0.names.joined(separator: ",")),
                        target: copy($0.path)
                    )
                }
            )
            plan.cgroups.view_count = UInt32(views.count)
        }
        plan.command_nice = getpriority(__priority_which_t(PRIO_PROCESS.rawValue), 0)
        // The slot that ends a run must not wait for the processor behind the run's own processes.
        plan.supervisor_nice = max(plan.command_nice - 10, -20)

        // The arguments lie one after the other in memory (execve(2)). A program that embeds this library may have
        // moved the first one; then the launcher must not wipe them.
        let arguments = (0..<Int(CommandLine.argc)).compactMap { CommandLine.unsafeArgv[$0] }
        if let first = arguments.first, let last = arguments.last {
            let length = last + strlen(last) - first
            if length > 0, length == arguments.reduce(-1, { $0 + Int(strlen($1)) + 1 }) {
                plan.command_line = first
                plan.command_line_length = length
            }
        }

        guard !memory.hasOverflowed, !entryMemory.hasOverflowed else {
            throw SetupFailure(step: .launcherProcess, number: ENOMEM)
        }
        plan.memory = UnsafeRawPointer(memory.start)
        plan.memory_length = PlanMemory.length

        var socket: Int32 = -1
        let pid = sandglass_launcher_start(&plan, &socket)
        guard pid > 0 else { throw SetupFailure(step: .launcherProcess, number: errno) }
        return (pid, socket)
    }
}

/// One memory mapping that holds everything the launcher's plan points to.
///
/// The launcher keeps this mapping and unmaps the rest of the memory that it inherited. The mapping is shared, so a
/// fork copies none of it, and the launcher makes it read-only. In this process the mapping ends with the object.
final class PlanMemory {
    /// The size of the mapping in bytes.
    ///
    /// Only written pages take memory.
    static let length = 16 << 20

    let start: UnsafeMutableRawPointer
    /// A Boolean value that indicates whether a copy did not fit.
    private(set) var hasOverflowed = false

    private var used = 0

    /// Creates the mapping, or returns `nil` with `errno` set when there is no memory (mmap(2)).
    init?() {
        let mapping = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { return nil }
        start = mapping
    }

    deinit { munmap(start, Self.length) }

    /// Copies elements into the mapping and returns the copy, or `nil` when there are no elements or no space is left.
    func copy<Element>(_ elements: [Element]) -> UnsafePointer<Element>? {
        precondition(_isPOD(Element.self))
        guard !elements.isEmpty else { return nil }
        let alignment = MemoryLayout<Element>.alignment
        let offset = (used + alignment - 1) & -alignment
        let size = elements.count * MemoryLayout<Element>.stride
        guard size <= Self.length - offset else {
            hasOverflowed = true
            return nil
        }
        used = offset + size
        let copy = UnsafeMutableRawBufferPointer(start: start + offset, count: size)
        elements.withUnsafeBytes { copy.copyMemory(from: $0) }
        return UnsafePointer((start + offset).assumingMemoryBound(to: Element.self))
    }

    /// Copies a text into the mapping, with a terminating NUL byte.
    func copy(_ text: String) -> UnsafePointer<CChar>? {
        copy(text.utf8CString.map { $0 })
    }
}
