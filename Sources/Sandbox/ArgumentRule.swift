/// What becomes of a system call whose arguments pass some tests.
struct ArgumentRule: Sendable, Hashable {
    /// The system call's name.
    let call: String
    /// All of them have to be true; each is about another argument.
    let tests: [ArgumentTest]
    /// What becomes of it then.
    let answer: SystemCallAnswer

    init(_ call: String, _ tests: ArgumentTest..., answer: SystemCallAnswer) {
        self.call = call
        self.tests = tests
        self.answer = answer
    }
}
