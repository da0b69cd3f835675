/// What a server answered.
struct Answer: Sendable {
    /// A document holds 1 MiB of each stream, every byte of which may take six.
    static let mostBytes = 64 << 20

    let status: Int
    private let headers: [(name: String, value: String)]
    /// The body, unless its parts have gone to somebody else.
    var body: [UInt8] = []

    /// - Parameters:
    ///   - status: its status (RFC 9110 §15).
    ///   - head: its status line and header lines.
    init(status: Int, head: String) {
        self.status = status
        // To Swift CR and LF together are one character.
        headers = head.split(whereSeparator: \.isNewline).dropFirst().compactMap { line in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            let value = line[line.index(after: colon)...].drop { " \t".contains($0) }
            return (line[..<colon].lowercased(), String(value))
        }
    }

    var isSuccess: Bool { (200..<300).contains(status) }

    /// The value of a header, by any spelling of its name (RFC 9110 §5.1).
    subscript(name: String) -> String? {
        let name = name.lowercased()
        return headers.first { $0.name == name }?.value
    }
}
