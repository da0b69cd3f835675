internal import JSON

/// Why a file of tokens cannot be used.
public struct TokenFileError: Error, CustomStringConvertible {
    /// All that is wrong with it, in one line.
    public let description: String

    init(faults: [JSONFault]) {
        description = faults.map { fault in
            let place = fault.pointer.description
            return place.isEmpty ? fault.detail : "\(place): \(fault.detail)"
        }.joined(separator: "; ")
    }
}
