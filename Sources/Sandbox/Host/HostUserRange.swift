internal import CLinux
internal import Glibc
internal import Reactor
internal import System

/// A range of host users that nothing else on this machine uses, including other launchers.
///
/// A range is claimed by binding a socket to the range's name in the abstract namespace (unix(7)). No other process can
/// bind that name while a descriptor of the socket is open, and the claim leaves nothing behind. The launcher inherits
/// the descriptor. So a range is free again when the last process that used it is gone, and not before.
package struct HostUserRange: ~Copyable {
    /// The ranges that may be claimed: consecutive blocks of ids.
    struct Grid: Equatable {
        let first: UInt32
        /// The number of ids in a range, and so the maximum number of slots of a launcher.
        let blockSize: Int
        let blocks: Int

        /// A grid above the ids that systemd and common distributions give to people, services and containers.
        ///
        /// The ids from 1879048192 to 2147483647 are unused (systemd's UIDS-GIDS page).
        static let preferred = Grid(first: 1_900_000_000, blockSize: SandboxPolicy.maximumSlots, blocks: 1024)
        /// A grid for containers whose user namespace ends at 65535.
        ///
        /// Its ids are above ordinary users and below systemd's dynamic users (61184).
        static let withinContainer = Grid(first: 50_000, blockSize: 1024, blocks: 10)

        /// The grid whose ids exist in this user namespace.
        static var ofThisProcess: Grid { HostUserRange.isMapped(preferred) ? preferred : withinContainer }
    }

    /// The uid and gid of the service after it has started its launcher: one below the ids of all commands.
    package static var serviceUser: UInt32 { Grid.ofThisProcess.first - 1 }

    /// The first uid and gid of the range.
    let first: UInt32
    /// The bound socket, which keeps the claim while it is open in this or another process.
    let claim: Descriptor

    /// Claims a free range.
    ///
    /// - Throws: a failure with `EUSERS` when all ranges are taken, or with the error of bind(2).
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

    /// Returns whether `/proc/self/uid_map` and `gid_map` each map the whole grid in one line (user_namespaces(7)).
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
