/// What an attempt to get out of the sandbox came to: a line of `containment-probes`.
struct Probe: Hashable, CustomStringConvertible {
    let subject: String
    let name: String
    /// `open`, or why it failed.
    let answer: String

    /// It got what it was after.
    var isOpen: Bool { answer == "open" }

    var description: String { "\(subject): \(name) (\(answer))" }

    /// The lines of the program's output.
    static func read(_ output: String) -> [Probe] {
        output.split(separator: "\n").compactMap { line in
            let columns = line.split(separator: "\t").map(String.init)
            return columns.count == 3 ? Probe(subject: columns[0], name: columns[1], answer: columns[2]) : nil
        }
    }
}
