/// A request to a server.
struct Request: Sendable {
    /// What comes with it.
    enum Body: Sendable {
        case none
        case bytes([UInt8])
        /// So many bytes of an open file, from its beginning.
        case file(Int32, count: Int)

        /// How many bytes it has; `nil` if there is none.
        var count: Int? {
            switch self {
            case .none: nil
            case .bytes(let bytes): bytes.count
            case .file(_, let count): count
            }
        }
    }

    var method = "GET"
    /// Behind the server's address: `/runs`.
    var target: String
    var headers: [String] = []
    var body = Body.none
    /// How long there may be no byte from either side.
    var silence: Duration = .seconds(60)
    /// Whether the body of a successful answer is taken part by part, and not gathered.
    var isStreamed = false
    /// The most bytes of the answer's body that are gathered.
    var mostBytes = Answer.mostBytes
}
