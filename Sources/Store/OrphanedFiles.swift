internal import Glibc
internal import Runs

/// Output that no run owns: of one that was forgotten, or whose insertion was lost with the service.
struct OrphanedFiles: Sendable {
    /// So many names are looked at before others have their turn.
    private static let atOnce = 128

    private let folder: String
    private let newest: RunID?

    /// - Parameters:
    ///   - folder: where output is.
    ///   - newest: the newest run of the services before this one; younger files are this one's.
    init(in folder: String, upTo newest: RunID?) {
        self.folder = folder
        self.newest = newest
    }

    /// Removes them, in many small steps.
    func search(on thread: StoreThread) {
        thread.perform { [self] database in
            let names = DataDirectory.names(in: folder)[...]
            step(names, database, thread)
        }
    }

    private func step(_ names: ArraySlice<String>, _ database: RunDatabase, _ thread: StoreThread) {
        for name in names.prefix(Self.atOnce) where isOrphan(name, database) { unlink(folder + "/" + name) }
        let rest = names.dropFirst(Self.atOnce)
        if !rest.isEmpty { thread.perform { [self] database in step(rest, database, thread) } }
    }

    private func isOrphan(_ name: String, _ database: RunDatabase) -> Bool {
        guard let id = RunID(String(name.prefix { $0 != "." })) else { return true }
        guard let newest, id <= newest else { return false }
        // One that cannot be read is not taken for missing.
        do throws(StoreError) { return try database.run(id) == nil } catch { return false }
    }
}
