internal import CLinux
internal import Glibc
internal import Reactor

/// Host users that are nobody else's, other launchers' on this machine included.
///
/// A range is claimed by binding a socket to its name in the abstract namespace (unix(7)), which nobody else can do as long
/// as a descriptor of it is open, and which leaves nothing behind. The launcher inherits it, so a range is free again when
/// the last process that has run in it is gone, and not before.
public struct HostUserRange: ~Copyable {
    /// Where ranges may begin: blocks of ids, one behind the other.
    struct Grid: Equatable {
        let first: UInt32
        /// How many ids a range has, and so the most slots of a launcher.
        let blockSize: Int
        let blocks: Int

        /// Above what systemd and the usual distributions give to people, services and containers (systemd's
        /// UIDS-GIDS page: 1879048192 to 2147483647 is unused).
        static let preferred = Grid(first: 1_900_000_000, blockSize: SandboxPolicy.maximumSlots, blocks: 1024)
        /// Where a container's user namespace ends at 65535: above ordinary users, below systemd's dynamic ones (61184).
        static let withinContainer = Grid(first: 50_000, blockSize: 1024, blocks: 10)

        /// The one whose ids this user namespace has.
        static var ofThisProcess: Grid { HostUserRange.isMapped(preferred) ? preferred : withinContainer }
    }

    /// The uid and gid for the service itself once it has started its launcher: below those that any command may have.
    public static var serviceUser: UInt32 { Grid.ofThisProcess.first - 1 }

    /// The first uid and gid.
    let first: UInt32
    /// Keeps others out while it is open, here or in another process.
    let claim: Descriptor

    /// Claims a range that nobody has.
    ///
    /// - Throws: `EUSERS` when all are taken, or why none can be claimed.
    static func claim(from grid: Grid = .ofThisProcess) throws(SetupFailure) -> HostUserRange {
        for block in 0..<grid.blocks {
            let first = grid.first + UInt32(block * grid.blockSize)
            let socket = sandglass_bind_abstract("sandglass-users-\(first)")
            if socket >= 0 { return HostUserRange(first: first, claim: Descriptor(owning: socket)) }
            guard errno == EADDRINUSE else { throw SetupFailure(step: .identity, number: errno) }
        }
        throw SetupFailure(step: .identity, number: EUSERS)
    }

    private init(first: UInt32, claim: consuming Descriptor) {
        self.first = first
        self.claim = claim
    }

    /// Whether `/proc/self/uid_map` and `gid_map` (user_namespaces(7)) have the grid in one piece.
    private static func isMapped(_ grid: Grid) -> Bool {
        let end = UInt64(grid.first) + UInt64(grid.blocks * grid.blockSize)
        return ["/proc/self/uid_map", "/proc/self/gid_map"].allSatisfy { path in
            guard let text = HostFile.contents(of: path, atMost: 65536) else { return false }
            return String(decoding: text, as: UTF8.self).split(separator: "\n").contains { line in
                let fields = line.split(separator: " ").compactMap { UInt64($0) }
                guard fields.count == 3 else { return false }
                return fields[0] <= UInt64(grid.first) && end <= fields[0] + fields[2]
            }
        }
    }
}
