internal import System

/// The choice of the body that gives way when all request bodies together exceed their memory.
///
/// The memory is shared by principal, and within a principal by client network. The largest holder makes room for
/// everybody who holds less, so no caller can keep the others from sending bodies.
struct BodyPool {
    /// The connections whose body holds memory.
    private let holders: [Connection]

    init(_ connections: some Sequence<Connection>) {
        holders = connections.filter { $0.bodyBytes > 0 }
    }

    /// Returns the request whose body gives way to a body that needs `bytes` more, or nil if that one must give way.
    func requestGivingWay(to connection: Connection, for bytes: Int) -> RequestState? {
        let principal = Self.principal(of: connection)
        if let larger = largestPart(of: holders, than: principal, bytes, by: Self.principal) {
            return Self.stalest(larger)
        }
        let own = holders.filter { Self.principal(of: $0) == principal }
        return largestPart(of: own, than: connection.network, bytes, by: \.network).flatMap(Self.stalest)
    }

    /// Returns the connections of the largest holder that can give way, or nil if `holder` would hold as much with
    /// `bytes` more.
    private func largestPart<Holder: Hashable>(
        of connections: [Connection],
        than holder: Holder,
        _ bytes: Int,
        by key: (Connection) -> Holder
    ) -> [Connection]? {
        let parts = Dictionary(grouping: connections, by: key)
        func size(_ part: [Connection]) -> Int { part.reduce(0) { $0 + $1.bodyBytes } }
        let own = size(parts[holder] ?? []) + bytes
        return parts.filter { $0.key != holder && $0.value.contains(where: Self.canGiveWay) }.values
            .max { size($0) < size($1) }.flatMap { size($0) > own ? $0 : nil }
    }

    /// Returns the request whose body has not grown for the longest time.
    private static func stalest(_ connections: [Connection]) -> RequestState? {
        connections.filter(canGiveWay).min { $0.lastBodyArrival < $1.lastBodyArrival }?.request
    }

    /// Returns whether a body is arriving: a complete one is in use.
    private static func canGiveWay(_ connection: Connection) -> Bool {
        guard case .bufferingBody = connection.request?.stage else { return false }
        return true
    }

    private static func principal(of connection: Connection) -> String {
        switch connection.request?.stage {
        case .bufferingBody(let exchange), .handled(let exchange): exchange.principal
        default: ""
        }
    }
}
