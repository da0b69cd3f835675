internal import ArgumentParser
internal import Identity
internal import Settings

/// `sandglass token list`.
struct TokenListCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "list",
        abstract: "Say who there is, with what roles and limits, and how many tokens."
    )

    @OptionGroup var file: TokenFileOption

    func run() throws {
        let store = try file.store()
        do throws(SettingError) {
            for entry in try TokenSource.read(store.path).entries { print(Self.line(entry)) }
        } catch {
            Diagnostics.say("sandglass: \(error)")
            throw ExitCode.failure
        }
    }

    private static func line(_ entry: TokenFile.Entry) -> String {
        let (principal, limits) = (entry.principal, entry.principal.limits)
        var words = [principal.name, principal.roles.sorted().map(\.rawValue).joined(separator: ",")]
        words.append(entry.digests.count == 1 ? "1 token" : "\(entry.digests.count) tokens")
        if let number = limits.concurrency { words.append("concurrency \(number)") }
        if let number = limits.queued { words.append("queue-limit \(number)") }
        if let number = limits.runsPerMinute { words.append("runs-per-minute \(number)") }
        return words.joined(separator: "\t")
    }
}
