internal import RunModel
internal import System

/// The in-memory metadata of one blob.
struct BlobEntry {
    /// The size of the blob.
    let bytes: Int
    /// The time of the last use, in milliseconds since 1970.
    var lastUse: Int64
    /// The value of ``lastUse`` in the database.
    var savedUse: Int64
    /// The principals that have uploaded the blob.
    var owners: Set<String>
    /// The runs that hold the blob, with their principals.
    var holders: [RunID: String] = [:]

    /// The bytes that count against the quota: whole blocks, so that a million empty blobs are not free.
    var quotaBytes: Int { Self.quotaBytes(bytes) }

    static func quotaBytes(_ bytes: Int) -> Int { max((bytes + 4095) / 4096, 1) * 4096 }

    /// Returns whether a principal may see the blob; `nil` stands for a principal that may see every blob.
    func isVisible(to principal: String?) -> Bool {
        guard let principal else { return true }
        return owners.contains(principal) || holders.values.contains(principal)
    }
}

/// The metadata of all blobs, and of the uploads in progress.
struct BlobIndex {
    private(set) var entries: [SHA256Digest: BlobEntry]
    /// The blobs that each run holds.
    private var blobsByRun: [RunID: [SHA256Digest]] = [:]
    /// The bytes of all blobs plus the reservations of uploads in progress, as they count against the quota.
    var quotaBytes: Int
    private var uploads = 0
    private var uploadsByPrincipal: [String: Int] = [:]
    private var lastFileNumber = 0
    /// The earliest time at which an unused blob can expire, in milliseconds since 1970.
    var nextCollection: Int64 = 0

    init(_ entries: [SHA256Digest: BlobEntry]) {
        self.entries = entries
        quotaBytes = entries.values.reduce(0) { $0 + $1.quotaBytes }
        for (digest, entry) in entries {
            for run in entry.holders.keys { blobsByRun[run, default: []].append(digest) }
        }
    }

    /// Returns a new number for a file in `incoming`.
    mutating func makeFileNumber() -> Int {
        lastFileNumber += 1
        return lastFileNumber
    }

    // MARK: Uploads

    /// Counts a new upload, unless there are too many.
    ///
    /// - Parameters:
    ///   - principal: the uploading principal.
    ///   - limit: the maximum number of uploads of all principals.
    ///   - ownLimit: the maximum number of uploads of this principal.
    /// - Returns: the number of the upload's file, or `nil` if a limit is reached.
    mutating func beginUpload(of principal: String, limit: Int, ownLimit: Int) -> Int? {
        guard uploads < limit, uploadsByPrincipal[principal, default: 0] < ownLimit else { return nil }
        uploads += 1
        uploadsByPrincipal[principal, default: 0] += 1
        return makeFileNumber()
    }

    mutating func endUpload(of principal: String) {
        uploads -= 1
        let remaining = (uploadsByPrincipal[principal] ?? 1) - 1
        uploadsByPrincipal[principal] = remaining > 0 ? remaining : nil
    }

    // MARK: Entries

    /// Adds a blob without owners and holders.
    mutating func insert(_ digest: SHA256Digest, _ entry: BlobEntry) {
        entries[digest] = entry
        quotaBytes += entry.quotaBytes
    }

    /// Removes a blob and gives its bytes back to the quota.
    mutating func remove(_ digest: SHA256Digest) {
        if let entry = entries.removeValue(forKey: digest) { quotaBytes -= entry.quotaBytes }
    }

    /// Makes the sender of a complete file an owner of its blob, or makes the run that left the file a holder.
    mutating func addReference(of file: IncomingBlob, to digest: SHA256Digest) {
        guard let run = file.holder else {
            entries[digest]?.owners.insert(file.owner)
            return endUpload(of: file.owner)
        }
        if entries[digest]?.holders.updateValue(file.owner, forKey: run) == nil {
            blobsByRun[run, default: []].append(digest)
        }
    }

    mutating func removeOwner(_ owner: String, of digest: SHA256Digest) { entries[digest]?.owners.remove(owner) }

    /// Sets the time of the last use, in milliseconds since 1970.
    mutating func use(_ digest: SHA256Digest, at time: Int64) { entries[digest]?.lastUse = time }

    /// Sets the time of use that the database will contain.
    mutating func saveUse(_ digest: SHA256Digest, at time: Int64) { entries[digest]?.savedUse = time }

    // MARK: Holders

    /// Makes a run a holder of blobs.
    mutating func hold(_ digests: [SHA256Digest], by run: RunID, owner: String) {
        for digest in digests { entries[digest]?.holders[run] = owner }
        blobsByRun[run, default: []] += digests
    }

    /// Releases the blobs that a run holds, and sets their last use.
    ///
    /// - Parameters:
    ///   - run: the run.
    ///   - kept: the hexadecimal digests of the blobs that the run continues to hold.
    ///   - time: the time in milliseconds since 1970.
    /// - Returns: the released blobs.
    mutating func release(_ run: RunID, except kept: Set<String> = [], at time: Int64) -> [SHA256Digest] {
        guard let held = blobsByRun[run] else { return [] }
        let remaining = held.filter { kept.contains($0.hexadecimal) }
        let released = held.filter { !kept.contains($0.hexadecimal) }
        for digest in released {
            entries[digest]?.holders[run] = nil
            entries[digest]?.lastUse = time
        }
        blobsByRun[run] = remaining.isEmpty ? nil : remaining
        return released
    }
}
