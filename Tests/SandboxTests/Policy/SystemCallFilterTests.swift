import Glibc
import Testing

@testable import Sandbox

/// Tests of the compiled filter in an emulated packet filter machine: every number, and many arguments.
@Suite struct SystemCallFilterTests {
    private let machine: FilterMachine
    private static let key: UInt64 = 0xFEDC_BA98_7654_3210
    private let declared = DeclaredActions()

    init() throws {
        machine = FilterMachine(programs: [try SystemCallFilter.program(key: Self.key)])
    }

    @Test func `every number gets its declared action`() throws {
        for number in Int32(0)..<2048 where !declared.conditional.contains(number) {
            #expect(try machine.run(UInt32(number)) == declared[number].code, "\(number)")
        }
    }

    @Test(arguments: ArgumentCase.all)
    func `arguments decide as declared`(example: ArgumentCase) throws {
        // A call that this processor lacks has no number.
        guard let number = SystemCallFilter.number(of: example.call) else { return }
        #expect(try machine.run(UInt32(number), example.arguments) == example.action.code)
    }

    @Test func `every call whose arguments decide has test cases`() {
        let cases = Set(ArgumentCase.all.compactMap { SystemCallFilter.number(of: $0.call) })
        #if arch(x86_64)
        // The cases of mknodat cover mknod.
        let mknod: Set<Int32> = [133]
        #else
        let mknod: Set<Int32> = []
        #endif
        #expect(declared.conditional.subtracting(mknod) == cases)
    }

    @Test func `calls of another ABI fail like unknown calls`() throws {
        let unknown = SystemCallAction.refuse(ENOSYS).code
        for number in UInt32(0)..<512 {
            #expect(try machine.run(number, architecture: FilterMachine.foreign) == unknown, "\(number)")
            #if arch(x86_64)
            // x32
            #expect(try machine.run(number | 0x4000_0000) == unknown, "\(number)")
            #endif
        }
    }

    @Test func `the programs are short enough for the kernel`() throws {
        // BPF_MAXINSNS
        for program in machine.programs { #expect((1...4096).contains(program.count)) }
    }

    @Test func `the key allows the calls that create slots, and no others`() throws {
        let setUp = Set(SystemCallPolicy.setUp.compactMap(SystemCallFilter.number))
        for number in Int32(0)..<2048 where !declared.conditional.contains(number) {
            let action = setUp.contains(number) ? SystemCallAction.allow : declared[number]
            #expect(try machine.run(UInt32(number), [0, 0, 0, 0, 0, Self.key]) == action.code, "\(number)")
        }
    }

    @Test func `each bit of the key counts`() throws {
        for number in SystemCallPolicy.setUp.compactMap(SystemCallFilter.number) {
            for bit in 0..<64 {
                let other = Self.key ^ (1 << UInt64(bit))
                let action = try machine.run(UInt32(number), [0, 0, 0, 0, 0, other])
                #expect(action == declared[number].code, "\(number)")
            }
        }
    }

    @Test func `commands may install filters only if the operator allows it`() throws {
        let seccomp = UInt32(try #require(SystemCallFilter.number(of: "seccomp")))
        let prctl = UInt32(try #require(SystemCallFilter.number(of: "prctl")))
        let trusting = FilterMachine(programs: [try SystemCallFilter.program(key: Self.key, allowsFilters: true)])
        let allow = SystemCallAction.allow.code
        for arguments: [UInt64] in [[1, 0, 0], [0, 0, 0]] { #expect(try trusting.run(seccomp, arguments) == allow) }
        #expect(try trusting.run(prctl, [22, 2, 0]) == allow)
        // A filter with a listener could pretend the results of calls.
        #expect(try trusting.run(seccomp, [1, 8, 0]) == SystemCallAction.refuse(1).code)
    }

    @Test func `the calls that create slots are not allowed to commands`() {
        for number in SystemCallPolicy.setUp.compactMap(SystemCallFilter.number) {
            #expect(declared[number] != .allow && !declared.conditional.contains(number), "\(number)")
        }
    }
}

/// The declared actions by the numbers of the calls on this processor.
struct DeclaredActions {
    /// The actions of calls whose arguments do not matter.
    private let unconditional: [Int32: SystemCallAction]
    /// The calls whose arguments decide.
    let conditional: Set<Int32>

    init() {
        let lists: [([String], SystemCallAction)] = [
            (SystemCallPolicy.allowed, .allow),
            (SystemCallPolicy.refused, .refuse(1)),
            (SystemCallPolicy.pretended, .pretend),
        ]
        var unconditional: [Int32: SystemCallAction] = [:]
        for (names, action) in lists {
            for number in names.compactMap(SystemCallFilter.number) { unconditional[number] = action }
        }
        let rules = SystemCallPolicy.allowedWith + SystemCallPolicy.refusedWith + SystemCallPolicy.ownIdentity
        conditional = Set(rules.compactMap { SystemCallFilter.number(of: $0.call) })
        self.unconditional = unconditional
    }

    /// The action for a call whose arguments do not matter.
    subscript(number: Int32) -> SystemCallAction { unconditional[number] ?? .refuse(38) }
}

extension SystemCallAction {
    /// The action as a filter returns it to the kernel (seccomp(2)).
    var code: UInt32 {
        switch self {
        case .allow: 0x7FFF_0000
        case .refuse(let number): 0x0005_0000 | UInt32(number)
        case .pretend: 0x0005_0000
        }
    }
}

/// An emulation of the kernel's packet filter machine, as far as system call filters use it (bpf(4), seccomp(2)).
struct FilterMachine {
    struct Fault: Error {
        let instruction: Int
        let code: UInt16
    }

    // `AUDIT_ARCH_…` of this processor and of another one.
    #if arch(arm64)
    static let native: UInt32 = 0xC000_00B7
    static let foreign: UInt32 = 0x4000_0028
    #else
    static let native: UInt32 = 0xC000_003E
    static let foreign: UInt32 = 0x4000_0003
    #endif

    /// The programs of a process: the kernel runs them all, and the strictest action counts.
    let programs: [[UInt64]]

    /// Runs the programs on a call and returns the action (seccomp(2)).
    func run(_ number: UInt32, architecture: UInt32 = native, _ arguments: [UInt64] = []) throws -> UInt32 {
        let actions = try programs.map { try run($0, number, architecture, arguments) }
        // As signed numbers, the actions are ordered by strictness, with the kill of a process first.
        return actions.min { Int32(bitPattern: $0 & 0xFFFF_0000) < Int32(bitPattern: $1 & 0xFFFF_0000) } ?? 0x7FFF_0000
    }

    private func run(
        _ program: [UInt64],
        _ number: UInt32,
        _ architecture: UInt32,
        _ arguments: [UInt64]
    ) throws -> UInt32 {
        // struct seccomp_data, in 32-bit words.
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
            let jump = { (holds: Bool) in
                Int(holds ? UInt8(instruction >> 16 & 0xFF) : UInt8(instruction >> 24 & 0xFF))
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
