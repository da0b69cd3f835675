import Foundation
import Testing

/// The steps of the tutorial in the documentation catalogue, compiled as a user of the library would compile them.
@Suite(.timeLimit(.minutes(2))) struct TutorialTests {
    private static let repository = URL(filePath: #filePath).deletingLastPathComponent().appending(path: "../..")
    private static let catalogue = repository.appending(path: "Sources/SandglassRunner/SandglassRunner.docc")

    @Test(arguments: 1...3)
    func `every step of the tutorial compiles`(step: Int) throws {
        let file = Self.catalogue.appending(path: "Resources/RunACommand-\(step).swift").path()
        let result = try typeCheck(file)
        #expect(result.status == 0, "\(result.diagnostics)")
    }

    @Test func `a step that uses a missing function does not compile`() throws {
        let file = FileManager.default.temporaryDirectory.appending(path: "sandglass-tutorial-\(getpid()).swift")
        defer { try? FileManager.default.removeItem(at: file) }
        try "import SandglassRunner\nlet runner = Runner.begin()\n".write(to: file, atomically: true, encoding: .utf8)
        let result = try typeCheck(file.path())
        #expect(result.status != 0)
        #expect(result.diagnostics.contains("begin"))
    }

    @Test func `every file that the tutorial names exists`() throws {
        let tutorial = try String(contentsOf: Self.catalogue.appending(path: "RunACommand.tutorial"), encoding: .utf8)
        let names = tutorial.matches(of: /file: "([^"]+)"/).map { String($0.output.1) }
        #expect(names == (1...3).map { "RunACommand-\($0).swift" })
    }

    /// Type-checks a file against the modules of this very build.
    private func typeCheck(_ file: String) throws -> (status: Int32, diagnostics: String) {
        let products = URL(filePath: CommandLine.arguments[0]).deletingLastPathComponent()
        let built = try #require(
            sequence(first: products) { $0.path() == "/" ? nil : $0.deletingLastPathComponent() }
                .first { FileManager.default.fileExists(atPath: $0.appending(path: "Modules").path()) }
        )
        // The modules of C libraries that the library uses but does not expose.
        let maps =
            try FileManager.default.contentsOfDirectory(atPath: built.path()).filter { $0.hasSuffix(".build") }
            .map { built.appending(path: $0 + "/module.modulemap") }
            + ["CSeccomp", "CSQLite", "CNettle"].map {
                Self.repository.appending(path: "Sources/\($0)/module.modulemap")
            }
        let compiler = Process()
        compiler.executableURL = URL(filePath: "/usr/bin/env")
        compiler.arguments =
            ["swiftc", "-typecheck", "-swift-version", "6", "-parse-as-library"]
            + ["-I", built.appending(path: "Modules").path(), file]
            + maps.filter { FileManager.default.fileExists(atPath: $0.path()) }
            .flatMap { ["-Xcc", "-fmodule-map-file=\($0.path())"] }
        let output = Pipe()
        compiler.standardError = output
        try compiler.run()
        let diagnostics = output.fileHandleForReading.readDataToEndOfFile()
        compiler.waitUntilExit()
        return (compiler.terminationStatus, String(decoding: diagnostics, as: UTF8.self))
    }
}
