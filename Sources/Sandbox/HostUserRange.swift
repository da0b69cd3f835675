internal import Glibc

/// Host users that are nobody else's.
enum HostUserRange {
    /// Above what systemd and the usual distributions give to people, services and containers (systemd's
    /// UIDS-GIDS page: 1879048192 to 2147483647 is unused).
    private static let preferred: UInt32 = 1_900_000_000
    /// Where a container's user namespace ends at 65535: above ordinary users, below systemd's dynamic ones (61184).
    private static let withinContainer: UInt32 = 50_000

    /// The first of so many ids in a row which this user namespace has.
    static func first(count: Int) -> UInt32 {
        isMapped(preferred, count: count) ? preferred : withinContainer
    }

    /// Whether `/proc/self/uid_map` and `gid_map` (user_namespaces(7)) have the range in one piece.
    private static func isMapped(_ first: UInt32, count: Int) -> Bool {
        ["/proc/self/uid_map", "/proc/self/gid_map"].allSatisfy { path in
            guard let text = HostFile.contents(of: path, atMost: 65536) else { return false }
            return String(decoding: text, as: UTF8.self).split(separator: "\n").contains { line in
                let fields = line.split(separator: " ").compactMap { UInt64($0) }
                guard fields.count == 3 else { return false }
                return fields[0] <= UInt64(first) && UInt64(first) + UInt64(count) <= fields[0] + fields[2]
            }
        }
    }
}
