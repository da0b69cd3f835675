import Glibc
import RunModel
import TestSupport
import Testing

@testable import Store

struct RunSchemaTests {
    private func refusal(of directory: ScratchDirectory) -> StoreError? {
        do {
            try RunStore.open(directory).close()
            return nil
        } catch { return error as? StoreError }
    }

    private func database(in directory: ScratchDirectory) throws -> String {
        try RunStore.open(directory).close()
        return directory.path + "/data/sandglass.sqlite"
    }

    @Test func `a file that is not a database is refused and unchanged`() throws {
        let directory = try ScratchDirectory()
        #expect(mkdir(directory.path + "/data", 0o700) == 0)
        let garbage = String(repeating: "this is not a database ", count: 1000)
        let file = try directory.makeFile("data/sandglass.sqlite", garbage)
        let error = try #require(refusal(of: directory))
        #expect(error.path.hasSuffix("sandglass.sqlite") && error.detail.contains("nothing was changed"))
        #expect(ScratchDirectory.contents(of: file) == Array(garbage.utf8))
    }

    @Test func `a damaged database is refused and unchanged`() throws {
        let directory = try ScratchDirectory()
        let file = try database(in: directory)
        var contents = try #require(ScratchDirectory.contents(of: file))
        for index in 100..<4096 { contents[index] = 0xA5 }
        let descriptor = open(file, O_WRONLY | O_TRUNC)
        #expect(write(descriptor, contents, contents.count) == contents.count)
        close(descriptor)
        let error = try #require(refusal(of: directory))
        #expect(error.detail.contains("malformed") && error.detail.contains("nothing was changed"))
        #expect(ScratchDirectory.contents(of: file) == contents)
    }

    @Test func `a database of a newer version is refused and unchanged`() throws {
        let directory = try ScratchDirectory()
        let file = try database(in: directory)
        try SQLiteConnection(path: file).execute("PRAGMA user_version = 99")
        let before = ScratchDirectory.contents(of: file)
        let error = try #require(refusal(of: directory))
        #expect(error.detail.contains("version 99") && error.detail.contains("newer version"))
        #expect(ScratchDirectory.contents(of: file) == before)
    }

    @Test func `runs of an earlier version are found by their commands`() async throws {
        let directory = try ScratchDirectory()
        let file = try database(in: directory)
        let first = try RunStore.open(directory)
        for number in 1...250 { first.insert(.make(Int64(number), RunSpecification(command: ["echo", "\(number)"]))) }
        first.close()
        try SQLiteConnection(path: file).execute(
            "DROP INDEX run_command; ALTER TABLE run DROP COLUMN command; PRAGMA user_version = 4"
        )
        let second = try RunStore.open(directory)
        var filter = RunFilter()
        filter.command = "echo 24"
        let found = try await second.listed(filter).map { $0.specification.command[1] }
        #expect(found == ["249", "248", "247", "246", "245", "244", "243", "242", "241", "240", "24"])
        second.close()
    }

    @Test func `a database of another program is refused`() throws {
        let directory = try ScratchDirectory()
        #expect(mkdir(directory.path + "/data", 0o700) == 0)
        try SQLiteConnection(path: directory.path + "/data/sandglass.sqlite").execute("CREATE TABLE theirs (x)")
        let error = try #require(refusal(of: directory))
        #expect(error.detail.contains("another program's"))
    }

    @Test func `a database of each earlier version is upgraded`() async throws {
        for version in 0..<RunSchema.migrations.count {
            let directory = try ScratchDirectory()
            #expect(mkdir(directory.path + "/data", 0o700) == 0)
            let connection = try SQLiteConnection(path: directory.path + "/data/sandglass.sqlite")
            for migration in RunSchema.migrations[..<version] { try connection.execute(migration) }
            if version > 0 {
                try connection.execute(
                    "PRAGMA application_id = \(RunSchema.applicationID); PRAGMA user_version = \(version)"
                )
            }
            let store = try RunStore.open(directory)
            let run = Run.make(1)
            store.insert(run)
            #expect(await store.persisted(run.id) == nil)
            store.close()
            #expect(try connection.number("PRAGMA user_version") == Int64(RunSchema.migrations.count))
        }
    }

    @Test func `opening a store reads only unfinished runs, through an index`() throws {
        let directory = try ScratchDirectory()
        let connection = try SQLiteConnection(path: try database(in: directory))
        func plan(_ sql: String) throws -> String {
            let statement = try connection.prepare("EXPLAIN QUERY PLAN " + sql)
            var text = ""
            while try statement.next() { text += statement.text(3) + "\n" }
            return text
        }
        let unfinished = try plan("SELECT id FROM run INDEXED BY run_unfinished WHERE state < 2 ORDER BY id")
        #expect(
            unfinished.contains("USING") && unfinished.contains("run_unfinished") && !unfinished.contains("TEMP B-TREE")
        )
        #expect(try plan("SELECT max(id) FROM run").contains("SEARCH"))
    }
}
