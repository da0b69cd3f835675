internal import Glibc

/// Which system calls a command may make.
///
/// There are three answers. What common programs live under is allowed, some of it not with every argument (see
/// ``refusedWith`` and ``allowedWith``). What exists on every Linux and is for administrators fails as it does for an
/// ordinary user, with EPERM. All else fails with ENOSYS, as on a kernel that was built without it or is older than it:
/// programs and libraries know how to do without. Calls of other ABIs (i386, x32) end the process with SIGSYS.
///
/// A name that this processor's kernel does not have stands here for others that do.
enum SystemCallPolicy {
    /// What becomes of a call that no list has.
    static let otherwise = SystemCallAnswer.refuse(ENOSYS)

    /// Allowed, unless ``refusedWith`` says no.
    static let allowed =
        descriptors + files + names + waiting + memory + processes + identity + scheduling
        + signals + time + sockets + ipc + walls

    /// Reading, writing and keeping descriptors.
    private static let descriptors = [
        "close", "close_range", "copy_file_range", "dup", "dup2", "dup3", "fadvise64", "fallocate", "fcntl",
        "fdatasync", "flock", "fsync", "ftruncate", "getdents", "getdents64", "ioctl", "lseek", "memfd_create",
        "pipe", "pipe2", "pread64", "preadv", "preadv2", "pwrite64", "pwritev", "pwritev2", "read", "readahead",
        "readv", "sendfile", "splice", "sync_file_range", "tee", "write", "writev",
    ]

    /// Files by their names.
    private static let files = [
        "creat", "mknod", "mknodat", "open", "openat", "openat2", "truncate", "umask",
    ]

    /// What stands at a name, its attributes, and where it stands.
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
    /// Not that of several nodes (mbind and its like): ENOSYS is what libnuma takes for one node.
    private static let memory = [
        "brk", "madvise", "map_shadow_stack", "membarrier", "mincore", "mlock", "mlock2", "mlockall", "mmap",
        "mprotect", "mremap", "mseal", "msync", "munlock", "munlockall", "munmap", "pkey_alloc", "pkey_free",
        "pkey_mprotect",
    ]

    /// Processes and threads, their limits and what they used.
    ///
    /// Not clone3, whose flags a filter cannot see: the C library falls back to clone.
    private static let processes = [
        "arch_prctl", "clone", "execve", "execveat", "exit", "exit_group", "fork", "getpgid", "getpgrp", "getpid",
        "getppid", "getrlimit", "getrusage", "getsid", "gettid", "pidfd_open", "prctl", "prlimit64", "rseq",
        "set_tid_address", "setpgid", "setrlimit", "setsid", "sysinfo", "times", "uname", "vfork", "wait4", "waitid",
    ]

    /// Users, groups, capabilities.
    ///
    /// There is one user, and no capability to be had; programs ask all the same.
    private static let identity = [
        "capget", "capset", "getegid", "geteuid", "getgid", "getgroups", "getresgid", "getresuid", "getuid",
        "setfsgid", "setfsuid", "setgid", "setgroups", "setregid", "setresgid", "setresuid", "setreuid", "setuid",
    ]

    /// Who runs where and when.
    private static let scheduling = [
        "getcpu", "getpriority", "ioprio_get", "ioprio_set", "sched_get_priority_max", "sched_get_priority_min",
        "sched_getaffinity", "sched_getattr", "sched_getparam", "sched_getscheduler", "sched_rr_get_interval",
        "sched_setaffinity", "sched_setattr", "sched_setparam", "sched_setscheduler", "sched_yield", "setpriority",
    ]

    /// Signals.
    ///
    /// The slot is pid 1: the kernel drops what it has no handler for.
    private static let signals = [
        "kill", "pause", "pidfd_send_signal", "rt_sigaction", "rt_sigpending", "rt_sigprocmask", "rt_sigqueueinfo",
        "rt_sigreturn", "rt_sigsuspend", "rt_sigtimedwait", "rt_tgsigqueueinfo", "sigaltstack", "signalfd",
        "signalfd4", "tgkill", "tkill",
    ]

    /// Clocks, timers, and random numbers.
    private static let time = [
        "alarm", "clock_getres", "clock_gettime", "clock_nanosleep", "getitimer", "getrandom", "gettimeofday",
        "nanosleep", "setitimer", "time", "timer_create", "timer_delete", "timer_getoverrun", "timer_gettime",
        "timer_settime", "timerfd_create", "timerfd_gettime", "timerfd_settime",
    ]

    /// Sockets.
    ///
    /// Which ones can be made is said in ``allowedWith``.
    private static let sockets = [
        "accept", "accept4", "bind", "connect", "getpeername", "getsockname", "getsockopt", "listen", "recvfrom",
        "recvmmsg", "recvmsg", "sendmmsg", "sendmsg", "sendto", "setsockopt", "shutdown",
    ]

    /// Message queues, semaphores and shared memory, in the run's own ipc namespace.
    private static let ipc = [
        "mq_getsetattr", "mq_notify", "mq_open", "mq_timedreceive", "mq_timedsend", "mq_unlink", "msgctl", "msgget",
        "msgrcv", "msgsnd", "semctl", "semget", "semop", "semtimedop", "shmat", "shmctl", "shmdt", "shmget",
    ]

    /// Walls of the command's own: they can only take away.
    private static let walls = [
        "landlock_add_rule", "landlock_create_ruleset", "landlock_restrict_self", "seccomp",
    ]

    /// Refused with EPERM.
    static let refused = administration + others + mounts

    /// What only administrators may do.
    private static let administration = [
        "acct", "adjtimex", "bpf", "chroot", "clock_adjtime", "clock_settime", "delete_module", "finit_module",
        "init_module", "ioperm", "iopl", "kexec_file_load", "kexec_load", "open_by_handle_at", "perf_event_open",
        "pivot_root", "quotactl", "quotactl_fd", "reboot", "setdomainname", "sethostname", "setns", "settimeofday",
        "swapoff", "swapon", "syslog", "unshare", "vhangup",
    ]

    /// The inside of other processes, one's own children among them: debuggers do not work.
    private static let others = [
        "kcmp", "pidfd_getfd", "process_vm_readv", "process_vm_writev", "ptrace",
    ]

    /// What is mounted where.
    private static let mounts = [
        "fsconfig", "fsmount", "fsopen", "fspick", "mount", "mount_setattr", "move_mount", "open_tree",
        "open_tree_attr", "umount2",
    ]

    /// Answered with success.
    ///
    /// All that a run writes is in memory and has no disk to go to, but its sync(2) would have the host write out
    /// everything that everybody else has written.
    static let pretended = ["sync", "syncfs"]

    /// What making a slot takes, although commands get the answers above for it.
    ///
    /// The launcher lives under the same lists, but for these; each slot takes them away before its command starts. So the long
    /// program is compiled once, and what a slot installs is short.
    static let setUp: Set = ["clone3", "mount", "mount_setattr", "sethostname", "setns", "unshare"]

    /// Numbers of calls that are younger than the oldest libseccomp that this builds with (2.5.3).
    ///
    /// From 424 on a call has the same number on every processor.
    static let youngerNumbers: [String: Int32] = [
        "fchmodat2": 452, "map_shadow_stack": 453, "futex_wake": 454, "futex_wait": 455, "futex_requeue": 456,
        "mseal": 462, "open_tree_attr": 467, "quotactl_fd": 443, "futex_waitv": 449,
    ]
}
