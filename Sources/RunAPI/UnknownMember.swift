internal import System

/// The text about a member that an object must not have.
enum UnknownMember {
    /// Returns the detail of the fault.
    ///
    /// - Parameters:
    ///   - name: The name of the member.
    ///   - names: The names that the object may have.
    ///   - inner: The names that one of its members may have, with the name of that member.
    ///   - outer: The names that the object around it may have.
    /// - Returns: The detail, with the nearest name if there is one.
    static func detail(
        _ name: String,
        of names: [String],
        inside inner: (name: String, names: [String])? = nil,
        outside outer: [String] = []
    ) -> String {
        if let inner, inner.names.contains(name) { return "unknown member; put it inside \"\(inner.name)\"" }
        if outer.contains(name) { return "unknown member; put it beside \"command\"" }
        if let nearest = Spelling.nearest(to: name, in: names) { return suggestion("\"\(nearest)\"") }
        if let inner, let nearest = Spelling.nearest(to: name, in: inner.names) {
            return suggestion("\"\(nearest)\" inside \"\(inner.name)\"")
        }
        if let nearest = Spelling.nearest(to: name, in: outer) {
            return suggestion("\"\(nearest)\" beside \"command\"")
        }
        return "unknown member"
    }

    private static func suggestion(_ text: String) -> String { "unknown member; did you mean \(text)?" }
}
