internal import JSON
internal import Sandbox

/// What a host lacks.
struct GapDocument: JSONWritable {
    let gap: Gap

    func write(to writer: inout JSONWriter) {
        writer.object { document in
            document.member("features") { names in
                names.array { elements in for feature in gap.features { elements.element(feature.rawValue) } }
            }
            document.member("what", gap.what)
            document.member("cost", gap.cost)
            document.member("remedy", gap.remedy)
        }
    }
}
