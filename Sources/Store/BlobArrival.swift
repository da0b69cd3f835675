/// What became of a blob that has come as a whole.
public enum BlobArrival: Sendable, Hashable {
    /// It is new to whoever sent it.
    case created
    /// It was there, and whoever sent it could see it already.
    case known
}
