/// Cuts what comes in parts into lines.
struct LineBuffer {
    private let mostBytes: Int
    private var pending: [UInt8] = []

    /// - Parameter mostBytes: the longest line that is kept.
    init(mostBytes: Int) { self.mostBytes = mostBytes }

    /// Takes the next part, and gives each line that is whole now, without its end.
    ///
    /// - Throws: that a line is longer than it may be, and what the taker throws.
    mutating func append(
        _ part: UnsafeRawBufferPointer,
        _ take: ([UInt8]) throws(ClientError) -> Void
    ) throws(ClientError) {
        var rest = part[...]
        while let end = rest.firstIndex(of: UInt8(ascii: "\n")) {
            let line = pending + rest[..<end]
            pending = []
            rest = rest[(end + 1)...]
            guard line.count <= mostBytes else { throw tooLong }
            try take(line)
        }
        guard pending.count + rest.count <= mostBytes else { throw tooLong }
        pending.append(contentsOf: rest)
    }

    private var tooLong: ClientError { .misunderstood("The server sent an event of more than \(mostBytes) bytes.") }
}
