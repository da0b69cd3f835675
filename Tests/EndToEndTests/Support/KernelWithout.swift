/// What to put before a command so that it meets a kernel that lacks one system call.
enum KernelWithout {
    /// Its filter makes the call fail with ENOSYS, there and in whatever it starts.
    static func call(_ number: Int) -> [String] {
        // Loads the number; returns SECCOMP_RET_ERRNO with ENOSYS or SECCOMP_RET_ALLOW.
        let script = """
            my $filter = pack '(SCCL)*', 0x20, 0, 0, 0, 0x15, 0, 1, shift, 6, 0, 0, 0x50026, 6, 0, 0, 0x7fff0000;
            my $program = pack 'Sx6P', 4, $filter;
            syscall(157, 38, 1, 0, 0, 0) == 0 or die $!;
            syscall(157, 22, 2, $program) == 0 or die $!;
            exec @ARGV;
            """
        return ["perl", "-e", script, "\(number)"]
    }
}
