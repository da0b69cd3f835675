/// The content of an answer.
public enum ResponseBody: Sendable {
    /// These bytes. They are copied once.
    case bytes([UInt8])
    /// A part of a file, sent by the kernel with sendfile(2): it must exist and not shrink meanwhile.
    case file(OpenFile, offset: Int, count: Int)

    /// The bytes that will be sent.
    public var count: Int {
        switch self {
        case .bytes(let bytes): bytes.count
        case .file(_, _, let count): count
        }
    }
}
