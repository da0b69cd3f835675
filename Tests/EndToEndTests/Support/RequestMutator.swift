/// Makes requests that are almost right.
struct RequestMutator {
    private var random: RandomBytes

    init(seed: UInt64) { random = RandomBytes(seed: seed) }

    /// What is changed: each a request that is in order.
    ///
    /// None starts a run that lasts.
    private static let seeds: [String] = [
        "GET /healthz HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "GET /runs?limit=5&state=queued HTTP/1.1\r\nHost: localhost\r\nAccept: */*\r\nPrefer: wait=0\r\n\r\n",
        "HEAD /capabilities HTTP/1.0\r\nHost: localhost\r\nConnection: keep-alive\r\n\r\n",
        "OPTIONS * HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 22\r\n\r\n"
            + "{\"command\": [\"/none\"]}",
        "POST /runs HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
            + "a\r\n{\"command\"\r\nc;x=y\r\n: [\"/none\"]}\r\n0\r\nX-Trailer: z\r\n\r\n",
        "GET http://localhost/runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8/stdout HTTP/1.1\r\nHost: localhost\r\nRange: bytes=0-9\r\n\r\n",
        "DELETE /runs/01JDA6Z8Q4X1S9V7T2M3N5P6R8 HTTP/1.1\r\nHost: localhost\r\nExpect: 100-continue\r\n\r\n",
    ]

    /// What is put in: where one reader of a request may part from another.
    private static let pieces: [String] = [
        "\r\n", "\n", "\r", "\0", " ", "\t", ":", ",", ";", "%", "%00", "%2e%2e/", "/../", "?", "&", "=", "#", "\u{7F}",
        "\u{B}",
        "Content-Length: 3\r\n", "Content-Length: -1\r\n", "Content-Length: 99999999999999999999\r\n",
        "Transfer-Encoding: chunked\r\n", "Transfer-Encoding: gzip\r\n", "Host: a\r\n", "Connection: close\r\n",
        "Expect: x\r\n", "X: y\r\n z\r\n", "0\r\n\r\n", "ffffffffffffffff\r\n",
        "GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
        "HTTP/1.1", "HTTP/2.0", "\u{16}\u{3}\u{1}", String(repeating: "a", count: 9_000),
        String(repeating: "a:\r\n", count: 200),
    ]

    /// The next request.
    mutating func next() -> [UInt8] {
        var bytes = Array(Self.seeds[Int.random(in: 0..<Self.seeds.count, using: &random)].utf8)
        for _ in 0..<Int.random(in: 1...4, using: &random) { change(&bytes) }
        return bytes
    }

    private mutating func change(_ bytes: inout [UInt8]) {
        guard !bytes.isEmpty else { return }
        let place = Int.random(in: 0..<bytes.count, using: &random)
        let length = min(Int.random(in: 1...12, using: &random), bytes.count - place)
        switch Int.random(in: 0..<7, using: &random) {
        case 0: bytes[place] = UInt8.random(in: 0...255, using: &random)
        case 1: bytes.removeSubrange(place..<(place + length))
        case 2: bytes.insert(contentsOf: bytes[place..<(place + length)], at: place)
        case 3: bytes.removeSubrange(place...)
        case 4: bytes[place] ^= 1 << UInt8.random(in: 0...7, using: &random)
        default:
            bytes.insert(
                contentsOf: Array(Self.pieces[Int.random(in: 0..<Self.pieces.count, using: &random)].utf8),
                at: place
            )
        }
    }
}
