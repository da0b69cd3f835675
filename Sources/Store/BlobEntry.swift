internal import Runs

/// What is known of a blob that is there.
struct BlobEntry {
    let bytes: Int
    /// When it was used last, in milliseconds since 1970.
    var used: Int64
    /// The last use that the database knows of.
    var savedUse: Int64
    /// Who has uploaded it.
    var owners: Set<String>
    /// The runs that hold it, and whose they are.
    var holders: [RunID: String] = [:]

    /// What it counts against the quota: whole blocks, so that a million empty ones are not free.
    var room: Int { Self.room(bytes) }

    static func room(_ bytes: Int) -> Int { max((bytes + 4095) / 4096, 1) * 4096 }

    /// Whether somebody may know of it; `nil` is somebody who may know everything.
    func isVisible(to principal: String?) -> Bool {
        guard let principal else { return true }
        return owners.contains(principal) || holders.values.contains(principal)
    }
}
