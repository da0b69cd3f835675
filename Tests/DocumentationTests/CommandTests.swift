import Testing

/// Tests that the commands of the documentation print the documented output.
@Suite(.serialized)
struct CommandTests {
    @Test(arguments: Document.manual)
    func `every command prints what the document shows`(path: String) throws {
        let document = try Document(path: path)
        guard document.steps.contains(where: { if case .commands = $0 { true } else { false } }) else { return }
        let session = try DocumentSession()
        defer { session.close() }
        for step in document.steps {
            switch step {
            case .restart(let flags, let kills): try session.startServer(flags: flags, kills: kills)
            case .commands(let commands):
                for command in commands {
                    let printed = try session.run(command)
                    #expect(
                        command.matches(printed),
                        """
                        \(path):\(command.line): \(command.text)
                        expected:
                        \(command.expected.joined(separator: "\n"))
                        printed:
                        \(printed.joined(separator: "\n"))
                        """
                    )
                }
            }
        }
    }

    @Test func `the README and the pages about the API and the command line have commands`() throws {
        for path in ["README.md", "docs/api.md", "docs/cli.md", "docs/authentication.md"] {
            #expect(try Document(path: path).blocks.contains { $0.language == "console" }, "\(path)")
        }
    }
}
