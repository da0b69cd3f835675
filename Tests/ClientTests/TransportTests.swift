import Glibc
import Testing

@testable import Client

@Suite struct TransportTests {
    /// Creates a listening socket on loopback.
    ///
    /// Connections succeed, but nothing responds.
    private func silentServer() throws -> (socket: Int32, address: ServerAddress) {
        let socket = Glibc.socket(AF_INET, Int32(SOCK_STREAM.rawValue | SOCK_CLOEXEC.rawValue), 0)
        var name = sockaddr_in()
        name.sin_family = sa_family_t(AF_INET)
        name.sin_addr.s_addr = UInt32(0x7F00_0001).bigEndian
        var size = socklen_t(MemoryLayout<sockaddr_in>.size)
        let isListening = withUnsafeMutablePointer(to: &name) { name in
            // SAFETY: a sockaddr_in is a sockaddr, and the call gets its size.
            name.withMemoryRebound(to: sockaddr.self, capacity: 1) {
                bind(socket, $0, size) == 0 && listen(socket, 8) == 0 && getsockname(socket, $0, &size) == 0
            }
        }
        try #require(isListening)
        return (socket, try ServerAddress("http://127.0.0.1:\(UInt16(bigEndian: name.sin_port))"))
    }

    private func transport(_ address: ServerAddress) throws -> Transport {
        try Transport(address, token: nil, caFile: nil, agent: "test", signals: try SignalSource([]))
    }

    @Test func `the client gives up on a silent server after the idle timeout`() throws {
        let (socket, address) = try silentServer()
        defer { close(socket) }
        let transport = try transport(address)
        for body in [OutgoingRequest.Body.none, .bytes([1, 2, 3])] {
            var request = OutgoingRequest(target: "/", body: body)
            request.idleTimeout = .milliseconds(100)
            do throws(ClientError) {
                _ = try transport.send(request)
                Issue.record("there was a response")
            } catch {
                guard case .disconnected = error else {
                    Issue.record("\(error)")
                    continue
                }
            }
        }
    }

    @Test func `a closed port is unreachable`() throws {
        let (socket, address) = try silentServer()
        close(socket)
        let transport = try transport(address)
        do throws(ClientError) {
            _ = try transport.send(OutgoingRequest(target: "/"))
            Issue.record("there was a response")
        } catch {
            guard case .unreachable = error else {
                Issue.record("\(error)")
                return
            }
        }
    }
}
