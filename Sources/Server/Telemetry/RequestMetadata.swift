internal import Glibc
internal import HTTPServer
internal import RunModel
internal import Synchronization

/// The data of a request for the access log, in addition to its request line and its response.
struct RequestMetadata: Sendable {
    /// The request's id in logs: the client's `X-Request-Id`, or a generated one.
    var id: String
    /// True if the client sent the id, so that every response must return it.
    var hasClientID = false
    /// The name of the principal; empty on a server without principals.
    var principal = ""
    /// The run that the request concerns.
    var run: RunID?
    /// The trace that the request is part of.
    var trace: TraceContext?

    /// Returns the metadata in a request's headers; `nil` if there is none to remember.
    static func of(_ request: Request) -> RequestMetadata? {
        let id = request.headers["X-Request-Id"].flatMap { RequestID.isValid($0) ? $0 : nil }
        let parents = request.headers["traceparent"] == nil ? [] : request.headers.values(of: "traceparent")
        let trace = TraceContext(
            parents: parents,
            states: parents.isEmpty ? [] : request.headers.values(of: "tracestate")
        )
        guard id != nil || trace != nil else { return nil }
        return RequestMetadata(id: id ?? RequestID.next(), hasClientID: id != nil, trace: trace)
    }
}

/// The generator and validator of the ids of requests in `X-Request-Id`.
enum RequestID {
    private static let maximumBytes = 128
    /// A random prefix of all ids of this process, so that no other process generates the same ids.
    private static let process = UInt64.random(in: 1 ... .max)
    private static let count = Atomic<UInt64>(0)

    /// Returns a new id of 32 lowercase hexadecimal digits.
    static func next() -> String {
        let number = count.wrappingAdd(1, ordering: .relaxed).newValue
        return String(unsafeUninitializedCapacity: 32) { digits in
            for (start, value) in [(0, process), (16, number)] {
                for index in 0..<16 {
                    let digit = UInt8(truncatingIfNeeded: value >> UInt64(60 - 4 * index)) & 15
                    digits[start + index] = digit < 10 ? digit + UInt8(ascii: "0") : digit - 10 + UInt8(ascii: "a")
                }
            }
            return 32
        }
    }

    /// Returns whether a client's id is safe in a log and a header: 1 to 128 letters, digits and `-._~:@+/=`.
    static func isValid(_ id: String) -> Bool {
        (1...maximumBytes).contains(id.utf8.count)
            && id.utf8.allSatisfy { byte in
                switch byte {
                case UInt8(ascii: "a")...UInt8(ascii: "z"), UInt8(ascii: "A")...UInt8(ascii: "Z"),
                    UInt8(ascii: "0")...UInt8(ascii: "9"):
                    true
                default: "-._~:@+/=".utf8.contains(byte)
                }
            }
    }
}
