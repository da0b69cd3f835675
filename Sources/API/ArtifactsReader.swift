internal import JSON
internal import Runs

/// Reads `artifacts`: patterns for paths below `/box`.
struct ArtifactsReader {
    private(set) var faults: [JSONFault] = []
    private let most: Int

    /// - Parameter most: how many there may be.
    init(most: Int) {
        self.most = most
    }

    /// The patterns that a value has.
    mutating func patterns(_ value: JSONValue, _ place: JSONPointer) -> [Glob] {
        guard case .array(let elements) = value else {
            refuse(place, "must be an array of patterns, such as \"out/**\", not \(value.typeName)")
            return []
        }
        guard elements.count <= most else {
            refuse(place, "must have at most \(most) patterns, not \(elements.count)")
            return []
        }
        var patterns: [Glob] = []
        for (index, element) in elements.enumerated() {
            guard case .string(let text) = element else {
                refuse(place.appending(index), "must be a string, not \(element.typeName)")
                continue
            }
            do throws(Glob.Fault) {
                patterns.append(try Glob(text))
            } catch { refuse(place.appending(index), error.detail) }
        }
        return patterns
    }

    private mutating func refuse(_ place: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: place, detail: detail))
    }
}
