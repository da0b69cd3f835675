internal import Glibc

/// The body of a request on its way out.
struct OutgoingBody {
    private let content: Request.Body
    /// How many of its bytes have been taken.
    private(set) var sent = 0
    /// Whether a file had fewer bytes than were announced, or could not be read.
    private(set) var fileChanged = false

    init(_ content: Request.Body) { self.content = content }

    /// Puts the next bytes into a place.
    ///
    /// - Returns: how many; 0 at the end, and `nil` if there are not as many as were announced: the other side would wait for
    ///   the rest.
    mutating func read(into space: UnsafeMutableRawBufferPointer) -> Int? {
        let room = min(space.count, (content.count ?? 0) - sent)
        guard room > 0 else { return 0 }
        switch content {
        case .none: return 0
        case .bytes(let bytes):
            space.copyBytes(from: bytes[sent..<sent + room])
            sent += room
            return room
        case .file(let descriptor, _):
            var got: Int
            repeat { got = pread(descriptor, space.baseAddress, room, sent) } while got < 0 && errno == EINTR
            guard got > 0 else {
                fileChanged = true
                return nil
            }
            sent += got
            return got
        }
    }

    /// Goes on at another place: a kept connection that turned out to be closed makes the body be sent again.
    ///
    /// - Returns: whether there is that place.
    mutating func seek(to offset: Int) -> Bool {
        guard let count = content.count, (0...count).contains(offset) else { return false }
        sent = offset
        return true
    }
}
