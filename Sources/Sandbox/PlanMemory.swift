internal import Glibc

/// What the launcher's plan points to, in one mapping of its own: the launcher keeps that, and lets the rest of this process's
/// memory go.
///
/// It ends with this value. The launcher has its own copy from its first moment on.
final class PlanMemory {
    /// Bytes. Only what is used takes memory; a plan with its filter takes some 10 KiB.
    static let length = 4 << 20

    let start: UnsafeMutableRawPointer
    /// Not everything had its place.
    private(set) var isFull = false

    private var used = 0

    /// `nil` where there is no memory (mmap(2)), with `errno` set.
    init?() {
        let mapping = mmap(nil, Self.length, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0)
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
        return elements.withUnsafeBytes { bytes in
            let copy = start + offset
            copy.copyMemory(from: bytes.baseAddress!, byteCount: size)
            return UnsafePointer(copy.assumingMemoryBound(to: Element.self))
        }
    }

    /// A copy that ends with a NUL.
    func keep(_ text: String) -> UnsafePointer<CChar>? {
        keep(text.utf8CString.map { $0 })
    }
}
