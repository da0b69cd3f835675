import Foundation

/// Runs as a ``FakeServer`` tells them.
enum FakeRun {
    static let id = "01M82SD0SKBQ831DSGRR58G3G2"

    static var running: [String: Any] { ["id": id, "state": "running", "command": ["true"]] }

    static var finished: [String: Any] {
        ["id": id, "state": "finished", "outcome": "exited", "exitCode": 0, "command": ["true"]]
    }

    /// A finished run with artifacts.
    static func finished(_ artifacts: [[String: Any]]) -> [String: Any] {
        finished.merging(["artifacts": artifacts]) { _, own in own }
    }

    /// A finished run as the last of its events.
    static func endEvent(_ run: [String: Any]) -> [UInt8] {
        let event: [String: Any] = ["event": "end", "id": "0-0-end", "run": run]
        return Array((try? JSONSerialization.data(withJSONObject: event)) ?? Data()) + [UInt8(ascii: "\n")]
    }
}
