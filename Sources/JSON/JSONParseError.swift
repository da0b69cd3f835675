/// One fault of a JSON text: an entry of `errors` in the problem document of the response (RFC 9457 §3).
package struct JSONFault: Sendable, Equatable {
    /// The position of the fault (RFC 6901).
    package let pointer: JSONPointer

    /// A description for the client's developer: a sentence that begins in lower case and has no full stop.
    package let detail: String

    package init(pointer: JSONPointer, detail: String) {
        self.pointer = pointer
        self.detail = detail
    }
}

/// The error of a text that is not JSON as ``JSONParser`` accepts it.
package struct JSONParseError: Error, Sendable, Equatable {
    /// All faults, in the order of the text; never empty.
    ///
    /// Every duplicate member (RFC 8259 §4) is a fault. A syntax error ends the parsing, so there is at most one, and
    /// it is the last fault. Duplicates inside members with very long names have long pointers. When all pointers
    /// take more bytes than the text and 64 KiB together, one fault at the root counts the further duplicates.
    package let faults: [JSONFault]
    /// The value, if duplicate members are the only faults: a caller that lists every fault of a text continues with
    /// it.
    ///
    /// The objects of this value contain the duplicate members.
    package let value: JSONValue?

    package init(faults: [JSONFault], value: JSONValue? = nil) {
        self.faults = faults
        self.value = value
    }
}

/// A departure from the grammar of RFC 8259; the parser adds its position in the tree.
struct JSONSyntaxError: Error {
    let detail: String
}

/// A collection of the faults found so far.
///
/// A pointer repeats the names of all the objects around a fault. A thousand duplicates inside a member whose name has
/// ten megabytes would take ten gigabytes. Pointers are therefore collected only while they take no more bytes than
/// the text and 64 KiB together. Further faults are only counted, so that memory and time stay linear.
struct JSONFaultCollector {
    private(set) var faults: [JSONFault] = []
    private var budget: Int
    private var omitted = 0

    init(textLength: Int) {
        budget = textLength + 65_536
    }

    mutating func append(at path: [JSONPathStep], detail: @autoclosure () -> String) {
        guard budget > 0 else {
            omitted += 1
            return
        }
        let pointer = JSONPathStep.pointer(along: path)
        budget -= pointer.description.utf8.count
        faults.append(JSONFault(pointer: pointer, detail: detail()))
    }

    /// Adds a fault with the number of omitted faults.
    mutating func close() {
        guard omitted > 0 else { return }
        faults.append(JSONFault(pointer: .root, detail: "\(omitted) more members are duplicates"))
    }

    /// Adds the syntax error that ended the parsing, even if the budget is used up.
    mutating func close(with error: JSONSyntaxError, at path: [JSONPathStep]) {
        close()
        faults.append(JSONFault(pointer: JSONPathStep.pointer(along: path), detail: error.detail))
    }
}
