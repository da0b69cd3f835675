internal import Glibc
package import System

/// The result of a successful upload.
package enum BlobUploadResult: Sendable, Hashable {
    /// The blob is new to the sender.
    case created
    /// The sender could already see the blob.
    case existing
}

/// The reason why a blob was not stored.
package enum BlobError: Error, Sendable, Hashable {
    /// The received bytes have this digest instead of the announced one.
    case digestMismatch(SHA256Digest)
    /// The blob exceeds the free part of the quota, which is this number of bytes in total.
    case overQuota(Int)
    /// The maximum number of concurrent uploads, which is the associated value, is reached.
    case tooManyUploads(Int)
    /// The blob or its database row could not be written.
    case notStored(StoreError)
    /// The sender stopped before the blob was complete.
    case incomplete
}

/// An upload of a blob.
///
/// The upload buffers incoming bytes while another thread hashes and writes earlier ones. It needs two buffers,
/// whatever the size of the blob.
package final class BlobUpload: Sendable {
    /// The result of appending bytes.
    package enum Progress: Sendable {
        /// The upload took the bytes.
        case taken
        /// The buffers are full; the caller sends the same bytes again after `whenWritable` was called.
        case full
        /// The upload failed and takes no more bytes.
        case failed(BlobError)
    }

    typealias Completion = @Sendable (Result<BlobUploadResult, BlobError>) -> Void

    private struct State {
        /// The received bytes that no write job has yet.
        var buffer: [UInt8] = []
        /// The bytes for the queued write job, until the job starts.
        var writing: [UInt8] = []
        /// The memory of an earlier write, for reuse.
        var spare: [UInt8] = []
        var isWriting = false
        var isFull = false
        var failure: BlobError?
        /// The completion of ``finish(_:)``, once all bytes have been received.
        var completion: Completion?
        /// True after the upload was cancelled or its last write job is done.
        var isOver = false
        /// The number of received bytes.
        var bytes = 0
        /// The part of the quota that is reserved for this upload.
        var reserved: Int
    }

    private static let bufferBytes = 128 << 10

    /// The announced digest.
    package let digest: SHA256Digest
    private let store: BlobStore
    private let file: IncomingBlob
    private let state: Lock<State>
    private let whenWritable: @Sendable () -> Void

    init(
        _ digest: SHA256Digest,
        _ store: BlobStore,
        _ file: IncomingBlob,
        reserved: Int,
        whenWritable: @escaping @Sendable () -> Void
    ) {
        (self.digest, self.store, self.file, self.whenWritable) = (digest, store, file, whenWritable)
        state = Lock(State(reserved: reserved))
    }

    /// Appends received bytes.
    ///
    /// - Parameter piece: the bytes, at most 128 KiB.
    /// - Returns: whether the upload took the bytes.
    package func append(_ piece: UnsafeRawBufferPointer) -> Progress {
        // Bytes are missing only if the sender announced no length, or too small a length.
        let missing = state.withLock { BlobEntry.quotaBytes($0.bytes + piece.count) - $0.reserved }
        if missing > 0 {
            // Larger steps than one piece keep the number of reservations low.
            let step = max(missing, Self.bufferBytes)
            guard store.reserve(step) else {
                let error = BlobError.overQuota(store.limits.bytes)
                state.withLock { $0.failure = error }
                return .failed(error)
            }
            state.withLock { $0.reserved += step }
        }
        return state.withLock { state in
            if let failure = state.failure { return .failed(failure) }
            if state.isOver { return .failed(.incomplete) }
            if state.buffer.count + piece.count > Self.bufferBytes {
                guard !state.isWriting else {
                    state.isFull = true
                    return .full
                }
                queueWrite(&state)
            }
            if state.buffer.capacity < Self.bufferBytes { state.buffer.reserveCapacity(Self.bufferBytes) }
            state.buffer.append(contentsOf: piece)
            state.bytes += piece.count
            if !state.isWriting, state.buffer.count >= Self.bufferBytes / 2 { queueWrite(&state) }
            return .taken
        }
    }

    /// Completes the upload after the last byte.
    ///
    /// - Parameter completion: called on another thread after the blob was stored, or with the error.
    package func finish(_ completion: @escaping @Sendable (Result<BlobUploadResult, BlobError>) -> Void) {
        let isOver = state.withLock { state in
            guard !state.isOver, state.completion == nil else { return true }
            state.completion = completion
            if !state.isWriting { queueWrite(&state) }
            return false
        }
        if isOver { completion(.failure(.incomplete)) }
    }

    /// Cancels the upload, unless ``finish(_:)`` was called.
    package func cancel() {
        state.withLock { state in
            guard !state.isOver, state.completion == nil else { return }
            state.isOver = true
            state.buffer = []
            if !state.isWriting { queueWrite(&state) }
        }
    }

    /// Queues a job that writes the buffer; the caller holds the lock.
    private func queueWrite(_ state: inout State) {
        state.isWriting = true
        // Swaps the buffers instead of copying them, so that their memory is reused.
        swap(&state.writing, &state.buffer)
        swap(&state.buffer, &state.spare)
        store.pool.perform { [self] in write() }
    }

    private func write() {
        var failure: BlobError?
        var (bytes, isUseless) = state.withLock { state in
            let bytes = state.writing
            state.writing = []
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
        let (isLast, wasFull) = state.withLock { state in
            state.failure = state.failure ?? failure
            state.isWriting = false
            state.spare = spare
            let wasFull = state.isFull
            state.isFull = false
            let hasMore = !state.isOver && state.failure == nil && !state.buffer.isEmpty
            if state.completion != nil, hasMore {
                queueWrite(&state)
                return (false, wasFull)
            }
            let isLast = state.isOver || state.completion != nil
            // Keeps other calls from queueing a job after the last one.
            if isLast { state.isWriting = true }
            return (isLast, wasFull)
        }
        if wasFull { whenWritable() }
        if isLast { end() }
    }

    /// Stores or aborts the blob, on the thread of the last write job.
    private func end() {
        let (failure, completion, bytes, reserved) = state.withLock { state in
            state.isOver = true
            (state.buffer, state.spare) = ([], [])
            return (state.failure, state.completion, state.bytes, state.reserved)
        }
        guard let completion else { return store.abort(file, reserved: reserved) }
        if let failure {
            store.abort(file, reserved: reserved)
            return completion(.failure(failure))
        }
        store.finishUpload(file, digest, bytes: bytes, reserved: reserved, completion)
    }
}
