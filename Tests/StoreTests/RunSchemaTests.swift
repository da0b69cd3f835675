import Glibc
import Runs
import TestSupport
import Testing

@testable import Store

struct RunSchemaTests {
    private func refusal(of folder: ScratchFolder) -> StoreError? {
        do {
            try RunStore.open(folder).close()
            return nil
        } catch { return error as? StoreError }
    }

    private func database(in folder: ScratchFolder) throws -> String {
        try RunStore.open(folder).close()
        return folder.path + "/data/sandglass.sqlite"
    }

    @Test func `a file that is no database is refused and not touched`() throws {
        let folder = try ScratchFolder()
        #expect(mkdir(folder.path + "/data", 0o700) == 0)
        let garbage = String(repeating: "this is not a database ", count: 1000)
        let file = try folder.makeFile("data/sandglass.sqlite", garbage)
        let error = try #require(refusal(of: folder))
        #expect(error.path.hasSuffix("sandglass.sqlite") && error.detail.contains("nothing was changed"))
        #expect(ScratchFolder.contents(of: file) == Array(garbage.utf8))
    }

    @Test func `a damaged database is refused and not touched`() throws {
        let folder = try ScratchFolder()
        let file = try database(in: folder)
        var contents = try #require(ScratchFolder.contents(of: file))
        for index in 100..<4096 { contents[index] = 0xA5 }
        let descriptor = open(file, O_WRONLY | O_TRUNC)
        #expect(write(descriptor, contents, contents.count) == contents.count)
        close(descriptor)
        let error = try #require(refusal(of: folder))
        #expect(error.detail.contains("malformed") && error.detail.contains("nothing was changed"))
        #expect(ScratchFolder.contents(of: file) == contents)
    }

    @Test func `a younger program's database is refused and not touched`() throws {
        let folder = try ScratchFolder()
        let file = try database(in: folder)
        try SQLiteConnection(path: file).execute("PRAGMA user_version = 99")
        let before = ScratchFolder.contents(of: file)
        let error = try #require(refusal(of: folder))
        #expect(error.detail.contains("version 99") && error.detail.contains("younger"))
        #expect(ScratchFolder.contents(of: file) == before)
    }

    @Test func `another program's database is refused`() throws {
        let folder = try ScratchFolder()
        #expect(mkdir(folder.path + "/data", 0o700) == 0)
        try SQLiteConnection(path: folder.path + "/data/sandglass.sqlite").execute("CREATE TABLE theirs (x)")
        let error = try #require(refusal(of: folder))
        #expect(error.detail.contains("another program's"))
    }

    @Test func `a database of each earlier version is brought to this one`() async throws {
        for version in 0..<RunSchema.migrations.count {
            let folder = try ScratchFolder()
            #expect(mkdir(folder.path + "/data", 0o700) == 0)
            let connection = try SQLiteConnection(path: folder.path + "/data/sandglass.sqlite")
            for migration in RunSchema.migrations[..<version] { try connection.execute(migration) }
            if version > 0 {
                try connection.execute(
                    "PRAGMA application_id = \(RunSchema.application); PRAGMA user_version = \(version)"
                )
            }
            let store = try RunStore.open(folder)
            let run = Run.make(1)
            store.insert(run)
            #expect(await store.confirmed(run.id) == nil)
            store.close()
            #expect(try connection.number("PRAGMA user_version") == Int64(RunSchema.migrations.count))
        }
    }

    @Test func `a start looks at what is not finished alone, however many runs there are`() throws {
        let folder = try ScratchFolder()
        let connection = try SQLiteConnection(path: try database(in: folder))
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
