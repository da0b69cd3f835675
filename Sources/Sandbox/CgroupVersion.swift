/// The version of the control groups that enforce limits here (cgroups(7)).
public enum CgroupVersion: UInt32, Sendable, Hashable {
    /// A hierarchy for each controller, or for some together.
    case one = 1
    /// One hierarchy for all.
    case two = 2
}
