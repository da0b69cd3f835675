internal import ArgumentParser
internal import Client
internal import Glibc
internal import Settings

/// How a command that talks to a server ends.
enum ClientCommand {
    /// What the commands that only ask exit with when that did not work.
    static let failed: Int32 = 1
    /// As a filter whose reader has gone.
    static let outputClosed = 128 + SIGPIPE

    /// Whether a command prints JSON: its flag says so, or the environment.
    static func json(_ command: some ParsableArguments) throws -> Bool {
        let flags = SettingFlags.values(command)
        return try ProgramSettings.read { () throws(SettingError) in
            try ProgramSettings.command(flags: flags).value(RunSetting.json) ?? false
        }
    }

    /// Does what a command is for, and exits.
    ///
    /// - Parameter body: what to do.
    /// - Throws: that it was called wrongly.
    static func run(_ body: () throws(ClientError) -> Void) throws -> Never {
        do throws(ClientError) {
            try body()
            exit(0)
        } catch {
            switch error {
            case .wrongCall(let text): throw ValidationError(text)
            case .stopped(let signal): exit(128 + signal)
            case .outputClosed: exit(outputClosed)
            default:
                Diagnostics.say("sandglass: \(error)")
                exit(failed)
            }
        }
    }
}
