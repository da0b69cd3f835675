/// Whether each header of a request follows the one before, CR LF between them and nothing else.
///
/// MHD 0.9.75 leaves lines where it received them and hands out pointers into them. So it shows by where a
/// text is what it hides: that a line ended with a bare line feed, that it had a NUL, after which MHD stops
/// reading it, or that it was folded (MHD then adds the second line to the *name* of the first). Each of those
/// is a way to have two servers read two different requests. Only addresses are compared; nothing is read.
struct HeaderPlaces {
    /// The address where the next line begins, as far as the lines up to now were in order.
    private(set) var next: UInt
    private(set) var isOrderly = true

    init(first: UInt) {
        next = first
    }

    mutating func add(name: UnsafeBufferPointer<UInt8>, value: UnsafeBufferPointer<UInt8>) {
        let (nameStart, valueStart) = (UInt(bitPattern: name.baseAddress), UInt(bitPattern: value.baseAddress))
        // White space may stand between the colon and the value.
        if nameStart != next || valueStart <= nameStart &+ UInt(name.count) { isOrderly = false }
        next = valueStart &+ UInt(value.count) &+ 2
    }
}
