internal import Glibc

/// What the launcher's plan points to, in one mapping of its own: the launcher keeps that, and lets the rest of this process's
/// memory go.
///
/// Shared, so that a fork copies nothing of it, and the launcher makes it read-only. In this process it ends with this value.
final class PlanMemory {
    /// In bytes.
    ///
    /// Only what is used takes memory.
    static let length = 16 << 20

    let start: UnsafeMutableRawPointer
    /// Not everything had its place.
    private(set) var isFull = false

    private var used = 0

    /// `nil` where there is no memory (mmap(2)), with `errno` set.
    init?() {
        let mapping = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0)
        guard let mapping, mapping != MAP_FAILED else { return nil }
        start = mapping
    }

    deinit { munmap(start, Self.length) }

    /// A copy; `nil` when there is nothing to copy, or no room for it.
    func keep<Element>(_ elements: [Element]) -> UnsafePointer<Element>? {
        precondition(_isPOD(Element.self))
        guard !elements.isEmpty else { return nil }
        let alignment = MemoryLayout<Element>.alignment
        let offset = (used + alignment - 1) & -alignment
        let size = elements.count * MemoryLayout<Element>.stride
        guard size <= Self.length - offset else {
            isFull = true
            return nil
        }
        used = offset + size
        let copy = UnsafeMutableRawBufferPointer(start: start + offset, count: size)
        elements.withUnsafeBytes { copy.copyMemory(from: $0) }
        return UnsafePointer((start + offset).assumingMemoryBound(to: Element.self))
    }

    /// A copy that ends with a NUL.
    func keep(_ text: String) -> UnsafePointer<CChar>? {
        keep(text.utf8CString.map { $0 })
    }
}
