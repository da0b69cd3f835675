internal import Glibc

/// The effect of a filter on a system call.
enum SystemCallAction: Sendable, Hashable {
    /// The kernel executes the call.
    case allow
    /// The call fails with this error number (errno(3)).
    case refuse(Int32)
    /// The call succeeds without any effect.
    case pretend
}

/// The system calls that a command may make.
///
/// The policy has three effects:
/// - The calls that common programs need are allowed. Some are allowed only with certain arguments (see ``refusedWith``
///   and ``allowedWith``).
/// - Calls for administrators that every Linux has fail with EPERM, as they do for an ordinary user.
/// - All other calls fail with ENOSYS, as on an older kernel or one built without them. Programs and libraries have
///   fallbacks for that.
///
/// Calls of other ABIs (i386, x32) fail with ENOSYS too.
///
/// The lists also hold names that only the kernels of other processors have.
enum SystemCallPolicy {
    /// The action for calls that are in no list.
    static let defaultAction = SystemCallAction.refuse(ENOSYS)

    /// Calls that are allowed, except with the arguments in ``refusedWith``.
    static let allowed =
        descriptors + files + names + waiting + memory + processes + identity + scheduling
        + signals + time + sockets + ipc + debugging + selfRestriction

    /// Reading and writing through descriptors, and managing them.
    private static let descriptors = [
        "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "fadvise64", "fallocate", "fcntl",
        "fdatasync", "flock", "fsync", "ftruncate", "getdents", "getdents64", "ioctl", "lseek", "memfd_create",
        "pipe", "pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
        "readv", "sendfile", "splice", "sync_file_range", "tee", "write", "writev",
    ]

    /// Opening and creating files by name.
    private static let files = [
        "creat", "mknod", "mknodat", "open", "openat", "openat2", "truncate", "umask",
    ]

    /// Directory entries, and the attributes of files.
    private static let names = [
        "access", "chdir", "chmod", "chown", "faccessat", "faccessat2", "fchdir", "fchmod", "fchmodat", "fchmodat2",
        "fchown", "fchownat", "fgetxattr", "flistxattr", "fremovexattr", "fsetxattr", "fstat", "fstatfs", "futimesat",
        "getcwd", "getxattr", "inotify_add_watch", "inotify_init", "inotify_init1", "inotify_rm_watch", "lchown",
        "lgetxattr", "link", "linkat", "listxattr", "llistxattr", "lremovexattr", "lsetxattr", "lstat", "mkdir",
        "mkdirat", "newfstatat", "readlink", "readlinkat", "removexattr", "rename", "renameat", "renameat2", "rmdir",
        "setxattr", "stat", "statfs", "statx", "symlink", "symlinkat", "unlink", "unlinkat", "utime", "utimensat",
        "utimes",
    ]

    /// Waiting for descriptors and for other threads.
    private static let waiting = [
        "epoll_create", "epoll_create1", "epoll_ctl", "epoll_pwait", "epoll_pwait2", "epoll_wait", "eventfd",
        "eventfd2", "futex", "futex_requeue", "futex_wait", "futex_waitv", "futex_wake", "get_robust_list", "poll",
        "ppoll", "pselect6", "restart_syscall", "select", "set_robust_list",
    ]

    /// Memory.
    ///
    /// The calls for several memory nodes, such as mbind, are left out. libnuma takes ENOSYS as the sign of a machine
    /// with one node.
    private static let memory = [
        "brk", "madvise", "map_shadow_stack", "membarrier", "mincore", "mlock", "mlock2", "mlockall", "mmap",
        "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free",
        "pkey_mprotect",
    ]

    /// Processes and threads, their limits and their resource usage.
    ///
    /// clone3 is left out because a filter cannot see its flags. The C library falls back to clone.
    private static let processes = [
        "arch_prctl", "clone", "execve", "execveat", "exit", "exit_group", "fork", "getpgid", "getpgrp", "getpid",
        "getppid", "getrlimit", "getrusage", "getsid", "gettid", "pidfd_open", "prctl", "prlimit64", "rseq",
        "set_tid_address", "setpgid", "setrlimit", "setsid", "sysinfo", "times", "uname", "vfork", "wait4", "waitid",
    ]

    /// Users, groups and capabilities.
    ///
    /// A run has one user and can get no capability, but many programs make these calls.
    private static let identity = [
        "capget", "capset", "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid",
        "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid",
    ]

    /// Scheduling, priorities and processors.
    private static let scheduling = [
        "getcpu", "getpriority", "ioprio_get", "ioprio_set", "sched_get_priority_max", "sched_get_priority_min",
        "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
        "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "setpriority",
    ]

    /// Signals.
    ///
    /// The slot is pid 1, so the kernel drops every signal that it has no handler for.
    private static let signals = [
        "kill", "pause", "pidfd_send_signal", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
        "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "signalfd",
        "signalfd4", "tgkill", "tkill",
    ]

    /// Clocks, timers and random numbers.
    private static let time = [
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "getrandom", "gettimeofday",
        "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
        "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    ]

    /// Sockets.
    ///
    /// ``allowedWith`` lists the sockets that can be created.
    private static let sockets = [
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
        "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    ]

    /// Message queues, semaphores and shared memory, in the run's own ipc namespace.
    private static let ipc = [
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
        "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
    ]

    /// Debuggers, and the leak checks of sanitizers.
    ///
    /// The kernel allows them among the run's own processes alone. The slot cannot be traced, because it is not dumpable
    /// (ptrace(2)), and no other process is in the run's pid namespace. A tracer cannot bring its tracee past the filter,
    /// which the kernel applies after the tracer's changes.
    private static let debugging = ["process_vm_readv", "process_vm_writev", "ptrace"]

    /// Protections that a command applies to itself, which can only reduce its rights.
    ///
    /// Filters are among them, but see ``refusedWith(allowsFilters:)``.
    private static let selfRestriction = [
        "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
    ]

    /// Calls that fail with EPERM.
    static let refused = administration + otherProcesses + mounts

    /// Calls that only administrators may make.
    private static let administration = [
        "acct", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module", "finit_module",
        "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "open_by_handle_at", "perf_event_open",
        "pivot_root", "quotactl", "quotactl_fd", "reboot", "setdomainname", "sethostname", "setns", "settimeofday",
        "swapoff", "swapon", "syslog", "unshare", "vhangup",
    ]

    /// Comparing the resources of other processes and taking their descriptors.
    private static let otherProcesses = ["kcmp", "pidfd_getfd"]

    /// Mounts.
    private static let mounts = [
        "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
        "open_tree_attr", "umount2",
    ]

    /// Calls that succeed without any effect.
    ///
    /// A run's files are in memory and need no sync(2). A real sync(2) would make the host write out the data of all
    /// other processes.
    static let pretended = ["sync", "syncfs"]

    /// Calls that the launcher and its slots need to create sandboxes, although the lists above deny them to commands.
    ///
    /// The filter allows them with a key in the sixth argument, which none of them uses (`set_up_calls.h`).
    static let setUp: Set = ["clone3", "mount", "mount_setattr", "sethostname", "setns", "umount2", "unshare"]

    /// The numbers of calls that are newer than libseccomp 2.5.3, the oldest version that this builds with.
    ///
    /// From 424 on, a call has the same number on every processor.
    static let newerNumbers: [String: Int32] = [
        "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454, "futex_wait": 455, "futex_requeue": 456,
        "mseal": 462, "open_tree_attr": 467, "quotactl_fd": 443, "futex_waitv": 449,
    ]
}
