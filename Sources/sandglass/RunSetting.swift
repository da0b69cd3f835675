internal import Settings

/// What `sandglass run` and `doctor` can be told beside what holds commands.
enum RunSetting {
    static let all = [timeout.description, json.description]

    static let timeout = Setting.seconds(
        "timeout",
        atMost: 31_536_000,
        standard: "10",
        help: "How long the command may run; fractions count."
    )
    static let json = Setting.toggle("json", help: "Print a JSON object instead of text for people.")
}
