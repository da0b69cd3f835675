internal import Glibc
internal import RunModel
internal import System

/// The explanation of a command that never started, in terms of its own request.
struct StartFailureText {
    private static let maximumShownBytes = 200
    /// Commands that only a shell has, and no program file.
    private static let shellBuiltins: Set = [
        ".", ":", "alias", "bg", "cd", "eval", "exec", "exit", "export", "fg", "jobs", "read", "set", "shift", "source",
        "trap", "ulimit", "umask", "unalias", "unset", "wait",
    ]

    let specification: RunSpecification
    /// The path of the input file that could not be created; `nil` if all of them were.
    let failedFile: String?

    /// Returns the outcome with a more precise detail, if the outcome is a failed start.
    func explain(_ outcome: Outcome) -> Outcome {
        guard case .startFailed(let failure) = outcome else { return outcome }
        var detail = failure.detail
        if let failedFile {
            detail += " (\(failedFile))"
        } else if failure.step == "exec", failure.errno == "ENOENT", let advice = shellAdvice {
            detail += ". \(advice)"
        } else if failure.step == "exec", failure.errno == "E2BIG" {
            detail = "\(SystemError.meaning(of: E2BIG)): \(sizeText)"
        }
        return .startFailed(Failure(step: failure.step, errno: failure.errno, detail: detail))
    }

    // MARK: No such command

    /// The advice for a command line that only a shell would understand.
    private var shellAdvice: String? {
        let program = specification.command[0]
        let isBuiltin = Self.shellBuiltins.contains(program)
        let hasSyntax = program.utf8.contains { " \t\n|&;<>()$`\"'*?".utf8.contains($0) }
        guard isBuiltin || hasSyntax else { return nil }
        guard !isBuiltin else {
            return "No shell reads the command, and \(program) is a command of shells only. Use a shell: "
                + "[\"sh\", \"-c\", \"\(program) …\"]"
        }
        let reason = "No shell reads the command: its first element is the name of one program, without arguments"
        guard specification.command.count == 1, program.utf8.count <= Self.maximumShownBytes else {
            return "\(reason). Make each argument an element of its own, or use a shell: [\"sh\", \"-c\", \"…\"]"
        }
        let isPlain = !program.utf8.contains { "|&;<>()$`\"'*?\\~#=".utf8.contains($0) }
        let words = program.split { $0 == " " || $0 == "\t" || $0 == "\n" }.map(String.init)
        let first = isPlain && !words.isEmpty ? "Use \(Self.array(words))" : "Make each argument an element of its own"
        return "\(reason). \(first), or use a shell: \(Self.array(["sh", "-c", program]))"
    }

    /// Returns a JSON array of strings.
    private static func array(_ words: [String]) -> String {
        let elements = words.map { word in
            let escaped = word.unicodeScalars.reduce(into: "") { text, scalar in
                switch scalar {
                case "\"", "\\": text += "\\\(scalar)"
                case "\n": text += "\\n"
                case "\t": text += "\\t"
                default: text.unicodeScalars.append(scalar)
                }
            }
            return "\"\(escaped)\""
        }
        return "[\(elements.joined(separator: ", "))]"
    }

    // MARK: Too large arguments

    /// The limit of execve(2) that the arguments and the environment exceed.
    private var sizeText: String {
        let environment = specification.fullEnvironment.map { "\($0.key)=\($0.value)" }
        for (kind, strings) in [("argument", specification.command), ("environment variable", environment)] {
            guard let string = strings.first(where: { $0.utf8.count > RunSpecification.longestString }) else {
                continue
            }
            return
                "one \(kind) has \(string.utf8.count, counting: "byte"), and the kernel allows \(RunSpecification.longestString). "
                + "Pass long text on standard input or in a file"
        }
        let strings = specification.command + environment
        // Each string takes its NUL and a pointer to it.
        let bytes = strings.reduce(0) { $0 + $1.utf8.count + 1 + MemoryLayout<Int>.size }
        let limit = min(max(specification.limits.stackBytes / 4, 128 << 10), 6 << 20)
        return
            "arguments and environment together take \(bytes, counting: "byte"), and the kernel allows \(limit): a quarter of "
            + "stackBytes, and at most 6 MiB. Pass long text on standard input or in a file"
    }
}
