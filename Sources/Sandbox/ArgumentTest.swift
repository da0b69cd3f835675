/// Something that has to be true of one argument of a system call.
///
/// A filter sees each argument as the 64 bits of a register. Where the kernel takes an `int` it looks at the lower half
/// alone, and whoever calls chooses the upper one. So a comparison with such an argument is either one of the lower
/// half, or one that garbage in the upper half can only make refuse more.
enum ArgumentTest: Sendable, Hashable {
    /// The lower 32 bits are this.
    case equals(argument: UInt32, UInt32)
    /// Those of the bits that the mask has are these.
    case bits(argument: UInt32, mask: UInt32, UInt32)
    /// All 64 bits are not this. For pointers, and to refuse.
    case differs(argument: UInt32, UInt64)
    /// All 64 bits, without a sign, are more than this. To refuse.
    case exceeds(argument: UInt32, UInt64)
}
