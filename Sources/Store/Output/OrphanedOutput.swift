internal import Glibc
internal import RunModel
internal import System

/// The output files without a run: the run was deleted, or a crash prevented its insertion.
struct OrphanedOutput: Sendable {
    /// The number of files to check before other jobs of the thread run.
    private static let batch = 128

    private let directory: String
    private let newest: RunID?

    /// Creates a job that removes the files, which ``remove(on:)`` queues.
    ///
    /// - Parameters:
    ///   - directory: the directory of output files.
    ///   - newest: the newest run of earlier processes; files of newer runs belong to this process.
    init(in directory: String, upTo newest: RunID?) {
        self.directory = directory
        self.newest = newest
    }

    /// Removes the files in many small jobs.
    func remove(on writer: DatabaseWriter) {
        writer.perform { [self] database in
            let names = DirectoryEntry.names(at: directory)[...]
            remove(names, database, writer)
        }
    }

    private func remove(_ names: ArraySlice<String>, _ database: RunDatabase, _ writer: DatabaseWriter) {
        for name in names.prefix(Self.batch) where isOrphan(name, database) { unlink(directory + "/" + name) }
        let rest = names.dropFirst(Self.batch)
        if !rest.isEmpty { writer.perform { [self] database in remove(rest, database, writer) } }
    }

    private func isOrphan(_ name: String, _ database: RunDatabase) -> Bool {
        guard let id = RunID(String(name.prefix { $0 != "." })) else { return true }
        guard let newest, id <= newest else { return false }
        // An unreadable record is not a missing one: its files stay.
        do throws(StoreError) { return try database.run(id) == nil } catch { return false }
    }
}
