public import Sandbox

/// What a server offers, for its clients to know.
public struct Capabilities: Sendable {
    /// Of the service.
    public let version: String
    /// What its host gives it.
    public let report: HostReport
    /// The root file systems that a run may name.
    public let images: [String]

    /// What a server offers.
    public init(version: String, report: HostReport, images: [String]) {
        self.version = version
        self.report = report
        self.images = images
    }
}
