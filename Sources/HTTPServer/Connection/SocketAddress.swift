internal import Glibc

/// An IPv4 or IPv6 address with a port.
struct SocketAddress {
    private var storage = sockaddr_storage()
    private var length: socklen_t

    /// The network of a client, which connection limits count: an IPv4 address, or the first 64 bits of an IPv6
    /// address.
    ///
    /// Every customer of a provider has at least one IPv6 network of 64 bits (RFC 6177).
    struct Network: Hashable {
        let isIPv6: Bool
        let bits: UInt64
    }

    /// Creates an empty address, for `fill(_:)`.
    init() { length = 0 }

    /// Parses a literal or `localhost`.
    init(_ literal: String, port: UInt16) throws(HTTPServerError) {
        var v4 = sockaddr_in()
        var v6 = sockaddr_in6()
        if inet_pton(AF_INET, literal == "localhost" ? "127.0.0.1" : literal, &v4.sin_addr) == 1 {
            v4.sin_family = sa_family_t(AF_INET)
            v4.sin_port = port.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: v4, as: sockaddr_in.self) }
        } else if inet_pton(AF_INET6, literal, &v6.sin6_addr) == 1 {
            v6.sin6_family = sa_family_t(AF_INET6)
            v6.sin6_port = port.bigEndian
            length = socklen_t(MemoryLayout<sockaddr_in6>.size)
            withUnsafeMutableBytes(of: &storage) { $0.storeBytes(of: v6, as: sockaddr_in6.self) }
        } else {
            throw HTTPServerError(operation: .parseAddress, subject: literal, errno: 0)
        }
    }

    /// Copies the address of a system call or of MHD, or returns nil if it is neither IPv4 nor IPv6.
    init?(_ name: UnsafePointer<sockaddr>) {
        let isIPv6 = name.pointee.sa_family == sa_family_t(AF_INET6)
        guard isIPv6 || name.pointee.sa_family == sa_family_t(AF_INET) else { return nil }
        let size = isIPv6 ? MemoryLayout<sockaddr_in6>.size : MemoryLayout<sockaddr_in>.size
        length = socklen_t(size)
        // SAFETY: an address of this family has this many bytes.
        let bytes = UnsafeRawBufferPointer(start: name, count: size)
        withUnsafeMutableBytes(of: &storage) { $0.copyMemory(from: bytes) }
    }

    var isIPv6: Bool { storage.ss_family == sa_family_t(AF_INET6) }

    var port: UInt16 {
        // Both kinds of address have the port in the same two bytes.
        UInt16(bigEndian: withUnsafeBytes(of: storage) { $0.loadUnaligned(fromByteOffset: 2, as: UInt16.self) })
    }

    /// The network of a client with this address.
    var network: Network {
        withUnsafeBytes(of: storage) { bytes in
            guard isIPv6 else {
                return Network(isIPv6: false, bits: UInt64(bytes.loadUnaligned(fromByteOffset: 4, as: UInt32.self)))
            }
            let (high, low) = (
                bytes.loadUnaligned(fromByteOffset: 8, as: UInt64.self),
                bytes.loadUnaligned(fromByteOffset: 16, as: UInt64.self)
            )
            // ::ffff:192.0.2.7 is the IPv4 client 192.0.2.7.
            let isMapped = high == 0 && UInt32(truncatingIfNeeded: low).bigEndian == 0xFFFF
            return isMapped ? Network(isIPv6: false, bits: low >> 32) : Network(isIPv6: true, bits: high)
        }
    }

    /// The address as a literal, without the port.
    var literal: String {
        var text = [CChar](repeating: 0, count: Int(INET6_ADDRSTRLEN))
        let offset =
            isIPv6
            ? MemoryLayout<sockaddr_in6>.offset(of: \.sin6_addr) : MemoryLayout<sockaddr_in>.offset(of: \.sin_addr)
        let isReadable = withUnsafeBytes(of: storage) { bytes in
            guard let base = bytes.baseAddress, let offset else { return false }
            return inet_ntop(isIPv6 ? AF_INET6 : AF_INET, base + offset, &text, socklen_t(text.count)) != nil
        }
        return isReadable ? text.withUnsafeBufferPointer { $0.baseAddress.map { String(cString: $0) } ?? "" } : ""
    }

    /// A client's address as a literal, without the port.
    ///
    /// An IPv4 client of a dual-stack socket has an IPv4 literal (RFC 4291, 2.5.5.2).
    var clientLiteral: String {
        let literal = literal
        return literal.hasPrefix("::ffff:") && literal.contains(".") ? String(literal.dropFirst(7)) : literal
    }

    /// Passes the address to a system call that reads one.
    func withPointer(_ body: (UnsafePointer<sockaddr>, socklen_t) -> Int32) -> Int32 {
        withUnsafePointer(to: storage) {
            // SAFETY: every kind of address starts with a sockaddr. The call reads `length` bytes, and sockaddr_storage
            // has more.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, length) }
        }
    }

    /// Passes the address to a system call that writes one.
    mutating func fill(_ body: (UnsafeMutablePointer<sockaddr>, UnsafeMutablePointer<socklen_t>) -> Int32) -> Int32 {
        var size = socklen_t(MemoryLayout<sockaddr_storage>.size)
        let result = withUnsafeMutablePointer(to: &storage) {
            // SAFETY: as above. The call writes at most `size` bytes, the size of the storage.
            $0.withMemoryRebound(to: sockaddr.self, capacity: 1) { body($0, &size) }
        }
        length = size
        return result
    }
}
