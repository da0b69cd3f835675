/// Which names an object has had so far (RFC 8259 §4).
///
/// The first few are looked up among the members themselves, which is quicker than a set and spares most objects the
/// memory of one; after that a set keeps an object of a hundred thousand members from taking quadratic time.
struct MemberNames {
    private static let fewMembers = 8

    private var names: Set<ExactString> = []

    /// Takes note of a name, and says whether it is new among the members before it.
    mutating func insert(_ name: String, after members: [JSONMember]) -> Bool {
        let name = ExactString(name)
        if members.count < Self.fewMembers { return !members.contains { ExactString($0.name) == name } }
        if names.isEmpty { names = Set(members.map { ExactString($0.name) }) }
        return names.insert(name).inserted
    }
}
