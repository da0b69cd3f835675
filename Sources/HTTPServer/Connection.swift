/// A client's connection, from MHD's first word about it to its last.
final class Connection {
    /// The C library's connection.
    let handle: OpaquePointer
    /// Its number stays its own until MHD has told us of the end.
    let socket: Int32
    /// The client's address, as a literal.
    let clientAddress: String

    init(handle: OpaquePointer, socket: Int32, clientAddress: String) {
        self.handle = handle
        self.socket = socket
        self.clientAddress = clientAddress
    }
}
