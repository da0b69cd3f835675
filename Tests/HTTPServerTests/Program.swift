import Foundation
import Glibc

/// Another program that a test starts: a client whose TLS is not ours.
final class Program {
    private let process = Process()
    private let output = Pipe()
    private let error = Pipe()

    init(_ name: String, _ arguments: [String], input: FileHandle = .nullDevice) throws {
        process.executableURL = URL(fileURLWithPath: "/usr/bin/env")
        process.arguments = [name] + arguments
        process.standardInput = input
        process.standardOutput = output
        process.standardError = error
        try process.run()
    }

    deinit { kill() }

    /// Ends it at once, as if its machine had died but for the kernel.
    func kill() {
        if process.isRunning { Glibc.kill(process.processIdentifier, SIGKILL) }
        process.waitUntilExit()
    }

    /// Waits for its end.
    func finish() throws -> (status: Int32, output: Data, text: String, error: String) {
        let written = output.fileHandleForReading.readDataToEndOfFile()
        let complaints = error.fileHandleForReading.readDataToEndOfFile()
        process.waitUntilExit()
        return (
            process.terminationStatus, written, String(decoding: written, as: UTF8.self),
            String(decoding: complaints, as: UTF8.self)
        )
    }
}
