import Foundation

/// An answer over HTTP.
struct HTTPAnswer {
    let status: Int
    /// By their names in lower case.
    let headers: [String: String]
    var body: [UInt8] = []

    init(head: String) {
        let lines = head.components(separatedBy: "\r\n")
        let words = lines[0].split(separator: " ")
        status = words.count > 1 ? Int(words[1]) ?? 0 : 0
        let fields = lines.dropFirst().compactMap { line -> (String, String)? in
            guard let colon = line.firstIndex(of: ":") else { return nil }
            return (line[..<colon].lowercased(), line[line.index(after: colon)...].trimmingCharacters(in: .whitespaces))
        }
        headers = Dictionary(fields) { first, second in first + ", " + second }
    }

    var text: String { String(decoding: body, as: UTF8.self) }

    /// The run in its body.
    func run() throws -> RunReply { try JSONDecoder().decode(RunReply.self, from: Data(body)) }

    /// The page of runs in its body.
    func page() throws -> PageReply { try JSONDecoder().decode(PageReply.self, from: Data(body)) }

    /// The problem (RFC 9457) in its body.
    func problem() throws -> ProblemReply { try JSONDecoder().decode(ProblemReply.self, from: Data(body)) }
}
