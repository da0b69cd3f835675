/// What `--file` says: a place below `/box`, and what is to be there.
public struct FileArgument: Sendable, Hashable {
    /// Where it is below `/box`.
    let path: String
    /// The local file or folder.
    let source: String

    /// Reads `PATH[=CONTENT-PATH]`.
    ///
    /// - Parameter text: a path, which without an equals sign is that of the local file, too.
    /// - Throws: what it must be, for people.
    public init(_ text: String) throws(ClientError) {
        let equals = text.utf8.firstIndex(of: UInt8(ascii: "="))
        path = String(text[..<(equals ?? text.endIndex)])
        source = equals.map { String(text[text.utf8.index(after: $0)...]) } ?? path
        guard Self.isBelow(path), !source.isEmpty else {
            throw .wrongCall(
                "--file '\(text)': where it is to be must be a path below /box, without a slash at its ends and without . "
                    + "or .. in it; what is elsewhere is given as PATH=CONTENT-PATH."
            )
        }
    }

    private static func isBelow(_ path: String) -> Bool {
        path.utf8.split(separator: UInt8(ascii: "/"), omittingEmptySubsequences: false).allSatisfy { part in
            !part.isEmpty && !part.elementsEqual(".".utf8) && !part.elementsEqual("..".utf8)
        }
    }
}
