import Testing

@testable import Sandbox

/// The compiled filter, in a machine of the tests' own: every number, and arguments without end.
@Suite struct SystemCallFilterTests {
    private let machine: FilterMachine
    private let launcher: FilterMachine
    private let declared = DeclaredAnswers()

    init() throws {
        let program = try SystemCallFilter.program.get()
        launcher = FilterMachine(programs: [program])
        machine = FilterMachine(programs: [program, SystemCallFilter.slotProgram])
    }

    @Test func `every number gets what is declared`() throws {
        for number in Int32(0)..<2048 where !declared.conditional.contains(number) {
            #expect(try machine.run(UInt32(number)) == declared[number].action, "\(number)")
        }
    }

    @Test(arguments: ArgumentCase.all)
    func `arguments decide as is declared`(example: ArgumentCase) throws {
        // Names that this processor's kernel lacks have no number.
        guard let number = SystemCallFilter.number(of: example.call) else { return }
        #expect(try machine.run(UInt32(number), example.arguments) == example.answer.action)
    }

    @Test func `every call whose arguments decide has cases`() {
        let cases = Set(ArgumentCase.all.compactMap { SystemCallFilter.number(of: $0.call) })
        #if arch(x86_64)
        // mknodat has them for mknod.
        let mknod: Set<Int32> = [133]
        #else
        let mknod: Set<Int32> = []
        #endif
        #expect(declared.conditional.subtracting(mknod) == cases)
    }

    @Test func `calls of another ABI end the process`() throws {
        let kill: UInt32 = 0x8000_0000
        for number in UInt32(0)..<512 {
            #expect(try machine.run(number, architecture: FilterMachine.foreign) == kill, "\(number)")
            #if arch(x86_64)
            // x32
            #expect(try machine.run(number | 0x4000_0000) == kill, "\(number)")
            #endif
        }
    }

    @Test func `the kernel takes a program of this length`() throws {
        // BPF_MAXINSNS
        for program in machine.programs { #expect((1...4096).contains(program.count)) }
    }

    @Test func `the launcher may do what a slot is made with, and nothing else that commands may not`() throws {
        let setUp = Set(SystemCallPolicy.setUp.compactMap(SystemCallFilter.number))
        for number in Int32(0)..<2048 where !declared.conditional.contains(number) {
            let answer = setUp.contains(number) ? SystemCallAnswer.allow : declared[number]
            #expect(try launcher.run(UInt32(number)) == answer.action, "\(number)")
        }
    }

    @Test func `what making a slot takes is nothing for commands`() {
        for number in SystemCallPolicy.setUp.compactMap(SystemCallFilter.number) {
            #expect(declared[number] != .allow && !declared.conditional.contains(number), "\(number)")
        }
    }
}
