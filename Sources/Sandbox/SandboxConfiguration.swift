/// What whoever runs the service lets commands have beside the built-in view.
public struct SandboxConfiguration: Sendable {
    /// Further folders of the host in the built-in view.
    public var exposed: [ExposedFolder] = []
    /// Root file systems that a run may choose instead.
    public var images: [SandboxImage] = []
    /// Whether a run may use the host's network.
    public var allowsHostNetwork = false

    /// Nothing beside the built-in view.
    public init() {}
}
