public import Digests
internal import Glibc
internal import Locks

/// A blob on its way in.
///
/// What comes is gathered, and hashed and written on another thread, while the next of it comes: two pieces of memory, whatever the
/// blob's size.
public final class BlobUpload: Sendable {
    /// What becomes of a piece.
    public enum Progress: Sendable {
        /// It was taken.
        case taken
        /// There is no room for it until `whenRoom` is called.
        case full
        /// Nothing more is taken.
        case failed(BlobError)
    }

    typealias Completion = @Sendable (Result<BlobArrival, BlobError>) -> Void

    private struct State {
        /// What has come and is not being written.
        var gathered: [UInt8] = []
        /// What is being written, until the writing begins.
        var leaving: [UInt8] = []
        /// Memory that was written, to be used again.
        var spare: [UInt8] = []
        var isWriting = false
        var wantsRoom = false
        var failure: BlobError?
        /// Who waits for the end, once all has come.
        var completion: Completion?
        /// Nothing more is done with it.
        var isOver = false
        /// The bytes that have come.
        var bytes = 0
        /// What is set aside for it.
        var reserved: Int
    }

    private static let mostGathered = 128 << 10

    /// The digest that it is to have.
    public let digest: SHA256Digest
    private let store: BlobStore
    private let file: IncomingBlob
    private let state: Lock<State>
    private let whenRoom: @Sendable () -> Void

    init(
        _ digest: SHA256Digest,
        _ store: BlobStore,
        _ file: IncomingBlob,
        reserved: Int,
        whenRoom: @escaping @Sendable () -> Void
    ) {
        (self.digest, self.store, self.file, self.whenRoom) = (digest, store, file, whenRoom)
        state = Lock(State(reserved: reserved))
    }

    /// Takes the next piece of it.
    ///
    /// - Parameter piece: at most 128 KiB.
    /// - Returns: what became of it.
    public func append(_ piece: UnsafeRawBufferPointer) -> Progress {
        // Of one whose length nobody has told.
        let missing = state.withLock { BlobEntry.room($0.bytes + piece.count) - $0.reserved }
        if missing > 0 {
            // Not for every piece.
            let step = max(missing, Self.mostGathered)
            guard store.reserve(step) else {
                let error = BlobError.overQuota(store.limits.bytes)
                state.withLock { $0.failure = error }
                return .failed(error)
            }
            state.withLock { $0.reserved += step }
        }
        return state.withLock { state in
            if let failure = state.failure { return .failed(failure) }
            if state.isOver { return .failed(.cutOff) }
            if state.gathered.count + piece.count > Self.mostGathered {
                guard !state.isWriting else {
                    state.wantsRoom = true
                    return .full
                }
                write(&state)
            }
            if state.gathered.capacity < Self.mostGathered { state.gathered.reserveCapacity(Self.mostGathered) }
            state.gathered.append(contentsOf: piece)
            state.bytes += piece.count
            if !state.isWriting, state.gathered.count >= Self.mostGathered / 2 { write(&state) }
            return .taken
        }
    }

    /// All of it has come.
    ///
    /// - Parameter completion: called on another thread once it is remembered, or with why it is not.
    public func finish(_ completion: @escaping @Sendable (Result<BlobArrival, BlobError>) -> Void) {
        let isOver = state.withLock { state in
            guard !state.isOver, state.completion == nil else { return true }
            state.completion = completion
            if !state.isWriting { write(&state) }
            return false
        }
        if isOver { completion(.failure(.cutOff)) }
    }

    /// Gives it up, unless it has come as a whole.
    public func cancel() {
        state.withLock { state in
            guard !state.isOver, state.completion == nil else { return }
            state.isOver = true
            state.gathered = []
            if !state.isWriting { write(&state) }
        }
    }

    /// Has what is there written; under the lock.
    private func write(_ state: inout State) {
        state.isWriting = true
        // Swapped and not copied: the memory is used again.
        swap(&state.leaving, &state.gathered)
        swap(&state.gathered, &state.spare)
        store.threads.perform { [self] in write() }
    }

    private func write() {
        var failure: BlobError?
        var (bytes, isUseless) = state.withLock { state in
            let bytes = state.leaving
            state.leaving = []
            return (bytes, state.isOver || state.failure != nil)
        }
        if !isUseless {
            failure = bytes.withUnsafeBytes { bytes in
                do throws(StoreError) { try file.append(bytes) } catch { return .notStored(error) }
                return nil
            }
        }
        bytes.removeAll(keepingCapacity: true)
        let spare = bytes
        let (ends, hasRoom) = state.withLock { state in
            state.failure = state.failure ?? failure
            state.isWriting = false
            state.spare = spare
            let hasRoom = state.wantsRoom
            state.wantsRoom = false
            let hasMore = !state.isOver && state.failure == nil && !state.gathered.isEmpty
            if state.completion != nil, hasMore {
                write(&state)
                return (false, hasRoom)
            }
            let ends = state.isOver || state.completion != nil
            // Nothing comes after this.
            if ends { state.isWriting = true }
            return (ends, hasRoom)
        }
        if hasRoom { whenRoom() }
        if ends { end() }
    }

    /// The end of it, on the thread that has written the last of it.
    private func end() {
        let (failure, completion, bytes, reserved) = state.withLock { state in
            state.isOver = true
            (state.gathered, state.spare) = ([], [])
            return (state.failure, state.completion, state.bytes, state.reserved)
        }
        guard let completion else { return store.giveUp(file, reserved) }
        if let failure {
            store.giveUp(file, reserved)
            return completion(.failure(failure))
        }
        store.complete(file, digest, bytes: bytes, reserved, completion)
    }
}
