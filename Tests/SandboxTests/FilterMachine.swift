/// The kernel's packet filter machine, as far as filters of system calls use it (bpf(4), seccomp(2)).
struct FilterMachine {
    struct Fault: Error {
        let instruction: Int
        let code: UInt16
    }

    /// `AUDIT_ARCH_…` of this processor and of a foreign one.
    #if arch(arm64)
    static let native: UInt32 = 0xC000_00B7
    static let foreign: UInt32 = 0x4000_0028
    #else
    static let native: UInt32 = 0xC000_003E
    static let foreign: UInt32 = 0x4000_0003
    #endif

    /// Those that a process has: the kernel runs them all, and the sternest action counts.
    let programs: [[UInt64]]

    /// What comes of a call: an action of seccomp(2).
    func run(_ number: UInt32, architecture: UInt32 = native, _ arguments: [UInt64] = []) throws -> UInt32 {
        let actions = try programs.map { try run($0, number, architecture, arguments) }
        // The kill of a process is the least as a signed number.
        return actions.min { Int32(bitPattern: $0 & 0xFFFF_0000) < Int32(bitPattern: $1 & 0xFFFF_0000) } ?? 0x7FFF_0000
    }

    private func run(
        _ program: [UInt64],
        _ number: UInt32,
        _ architecture: UInt32,
        _ arguments: [UInt64]
    ) throws -> UInt32 {
        // struct seccomp_data, in words.
        var data = [number, architecture, 0, 0]
        for index in 0..<6 {
            let argument = index < arguments.count ? arguments[index] : 0
            data += [UInt32(truncatingIfNeeded: argument), UInt32(argument >> 32)]
        }
        var accumulator: UInt32 = 0
        var next = 0
        while true {
            let instruction = program[next]
            let (code, operand) = (UInt16(truncatingIfNeeded: instruction), UInt32(instruction >> 32))
            let jump = { (holds: Bool) in Int(holds ? UInt8(instruction >> 16 & 0xFF) : UInt8(instruction >> 24 & 0xFF))
            }
            next += 1
            switch code {
            case 0x20: accumulator = data[Int(operand / 4)]
            case 0x54: accumulator &= operand
            case 0x05: next += Int(operand)
            case 0x15: next += jump(accumulator == operand)
            case 0x25: next += jump(accumulator > operand)
            case 0x35: next += jump(accumulator >= operand)
            case 0x45: next += jump(accumulator & operand != 0)
            case 0x06: return operand
            default: throw Fault(instruction: next - 1, code: code)
            }
        }
    }
}
