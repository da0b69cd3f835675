public import Digests
internal import Runs

/// A file of a run on its way to becoming a blob, which the run holds.
///
/// Used by one thread at a time. One that goes before it is finished leaves nothing.
public final class RunBlob {
    private let store: BlobStore
    private let file: IncomingBlob
    private let run: RunID
    /// How many bytes there is room for.
    private let room: Int
    private let reserved: Int
    /// How many bytes have come.
    public private(set) var bytes = 0
    private var isOver = false

    init(_ store: BlobStore, _ file: IncomingBlob, bytes: Int, reserved: Int) {
        guard let run = file.holder else { preconditionFailure("a run's file has a run") }
        (self.store, self.file, self.run, self.room, self.reserved) = (store, file, run, bytes, reserved)
    }

    deinit { if !isOver { store.giveUp(file, reserved) } }

    /// Takes the next bytes of it, as many together as were told at its beginning.
    public func append(_ piece: UnsafeRawBufferPointer) throws(BlobError) {
        // It has grown, although there is nobody left who could have done that.
        guard piece.count <= room - bytes else { throw .cutOff }
        do throws(StoreError) { try file.append(piece) } catch { throw .notStored(error) }
        bytes += piece.count
    }

    /// All of it has come.
    ///
    /// - Returns: what it is called.
    public func finish() throws(BlobError) -> SHA256Digest {
        isOver = true
        do throws(StoreError) {
            return try store.complete(file, for: run, bytes: bytes, reserved)
        } catch { throw .notStored(error) }
    }
}
