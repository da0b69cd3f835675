/// One step from the root to the value that is being parsed.
///
/// The parser keeps steps and makes a ``JSONPointer`` of them only for a fault: a pointer for each value would cost a
/// copy of all the names around it.
enum PathStep {
    case name(String)
    case index(Int)

    static func pointer(along path: [PathStep]) -> JSONPointer {
        var pointer = JSONPointer.root
        for step in path {
            switch step {
            case .name(let name): pointer.append(name)
            case .index(let index): pointer.append(index)
            }
        }
        return pointer
    }
}
