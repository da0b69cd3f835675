/// What has to be known of a slot before it is made, because it needs privilege.
struct SlotKind: Sendable, Hashable {
    /// The size of its writable file system.
    let scratchBytes: Int
    /// Which of the images it shows, counted from 1; 0: the host's view.
    var image = 0
    /// Whether it uses the host's network.
    var sharesNetwork = false
}
