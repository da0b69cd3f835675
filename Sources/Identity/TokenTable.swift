internal import Digests

/// Who a token belongs to.
public struct TokenTable: Sendable {
    private let entries: [(digest: [UInt8], principal: Principal)]

    /// A table of these principals.
    public init(_ principals: [TokenFile.Entry]) {
        entries = principals.flatMap { entry in entry.digests.map { ($0.bytes, entry.principal) } }
    }

    /// The principals, each once.
    public var principals: [Principal] {
        var seen: Set<String> = []
        return entries.compactMap { seen.insert($0.principal.name).inserted ? $0.principal : nil }
    }

    /// Whose token this is, or `nil` if it is nobody's.
    ///
    /// It takes the same time whoever's it is, and however much of it is right: digests are compared, each with all, and each
    /// to its end.
    public func principal(of token: [UInt8]) -> Principal? {
        let digest = SHA256Digest(of: token).bytes
        var found: Int?
        for index in entries.indices {
            var difference: UInt8 = 0
            for (left, right) in zip(entries[index].digest, digest) { difference |= left ^ right }
            found = difference == 0 ? index : found
        }
        return found.map { entries[$0].principal }
    }
}
