/// The faults found so far.
///
/// A pointer repeats the names of all the objects around a fault: a thousand duplicates inside a member whose name is
/// ten megabytes long would make ten gigabytes. Pointers are therefore written out while they come to no more than
/// the text itself and a little; the rest is counted, so that memory and time stay linear.
struct FaultList {
    private(set) var faults: [JSONFault] = []
    private var budget: Int
    private var unreported = 0

    init(textLength: Int) {
        budget = textLength + 65_536
    }

    mutating func append(at path: [PathStep], detail: @autoclosure () -> String) {
        guard budget > 0 else {
            unreported += 1
            return
        }
        let pointer = PathStep.pointer(along: path)
        budget -= pointer.description.utf8.count
        faults.append(JSONFault(pointer: pointer, detail: detail()))
    }

    /// Says how many faults had no room.
    mutating func close() {
        guard unreported > 0 else { return }
        faults.append(JSONFault(pointer: .root, detail: "\(unreported) more members are duplicates"))
    }

    /// Adds the error of syntax that ended the parsing, for which there is always room.
    mutating func close(with error: SyntaxError, at path: [PathStep]) {
        close()
        faults.append(JSONFault(pointer: PathStep.pointer(along: path), detail: error.detail))
    }
}
