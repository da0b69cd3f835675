@testable import Sandbox

/// The declared lists, by the numbers that calls have on this processor.
struct DeclaredAnswers {
    /// What becomes of calls whatever their arguments are.
    private let unconditional: [Int32: SystemCallAnswer]
    /// Calls whose arguments decide.
    let conditional: Set<Int32>

    init() {
        let lists: [([String], SystemCallAnswer)] = [
            (SystemCallPolicy.allowed, .allow),
            (SystemCallPolicy.refused, .refuse(1)),
            (SystemCallPolicy.pretended, .pretend),
        ]
        var unconditional: [Int32: SystemCallAnswer] = [:]
        for (names, answer) in lists {
            for number in names.compactMap(SystemCallFilter.number) { unconditional[number] = answer }
        }
        let rules = SystemCallPolicy.allowedWith + SystemCallPolicy.refusedWith
        conditional = Set(rules.compactMap { SystemCallFilter.number(of: $0.call) })
        self.unconditional = unconditional
    }

    /// Of a call whose arguments do not decide.
    subscript(number: Int32) -> SystemCallAnswer { unconditional[number] ?? .refuse(38) }
}

extension SystemCallAnswer {
    /// As the kernel's machine says it (seccomp(2)).
    var action: UInt32 {
        switch self {
        case .allow: 0x7FFF_0000
        case .refuse(let number): 0x0005_0000 | UInt32(number)
        case .pretend: 0x0005_0000
        }
    }
}
