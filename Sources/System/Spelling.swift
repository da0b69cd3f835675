/// Suggestions for misspelt names.
package enum Spelling {
    /// Returns the name that is most similar to an unknown one; `nil` if none is similar enough to be meant.
    ///
    /// - Parameters:
    ///   - text: The unknown name.
    ///   - names: The known names.
    /// - Returns: The nearest name.
    package static func nearest(to text: String, in names: some Sequence<String>) -> String? {
        // A long text is no misspelling, and the comparison takes the product of the lengths.
        guard text.utf8.count <= 64 else { return nil }
        let lowercased = text.lowercased()
        var best: (name: String, distance: Int)?
        for name in names where name != text {
            let limit = max(min(name.utf8.count, text.utf8.count) / 3, 1)
            // A part of a name is closer than its length says: `timeout` for `timeoutSeconds`.
            let isPart = lowercased.utf8.count >= 3 && name.lowercased().hasPrefix(lowercased)
            let distance = isPart ? 1 : distance(Array(lowercased.utf8), Array(name.lowercased().utf8))
            if distance <= limit, distance < best?.distance ?? .max { best = (name, distance) }
        }
        return best?.name
    }

    /// Returns the number of insertions, deletions, substitutions and swaps of neighbours between two texts.
    ///
    /// Source: the optimal string alignment distance.
    static func distance(_ first: [UInt8], _ second: [UInt8]) -> Int {
        var (before, previous) = ([Int](), Array(0...second.count))
        for (i, byte) in first.enumerated() {
            var row = [i + 1]
            for (j, other) in second.enumerated() {
                var cost = min(previous[j] + (byte == other ? 0 : 1), previous[j + 1] + 1, row[j] + 1)
                if i > 0, j > 0, byte == second[j - 1], first[i - 1] == other { cost = min(cost, before[j - 1] + 1) }
                row.append(cost)
            }
            (before, previous) = (previous, row)
        }
        return previous[second.count]
    }
}

extension DefaultStringInterpolation {
    /// Appends a number and a noun that agrees with it, such as `1 byte` or `2 bytes`.
    ///
    /// - Parameters:
    ///   - number: The number.
    ///   - noun: The noun in the singular, such as `byte`.
    ///   - plural: The noun in the plural, or nil if an `s` makes it.
    package mutating func appendInterpolation(
        _ number: some BinaryInteger,
        counting noun: String,
        plural: String? = nil
    ) {
        appendLiteral("\(number) \(number == 1 ? noun : plural ?? noun + "s")")
    }
}
