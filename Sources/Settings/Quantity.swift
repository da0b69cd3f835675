/// The texts of durations and sizes on the command line, in the environment and in configuration files.
package enum Quantity {
    /// Parses a duration: a number of seconds, or a number with the unit `ms`, `s`, `m`, `h` or `d`.
    ///
    /// The number consists of digits and at most one decimal point. A positive duration is never rounded to zero.
    ///
    /// - Parameter text: The text, such as `90`, `0.5`, `250ms` or `1.5h`.
    /// - Returns: The duration; `nil` if the text is invalid or longer than 100 years.
    package static func duration(_ text: String) -> Duration? {
        let units: [(name: String, nanoseconds: Double)] = [
            ("ms", 1e6), ("s", 1e9), ("m", 60e9), ("h", 3600e9), ("d", 86400e9), ("", 1e9),
        ]
        guard let unit = units.first(where: { text.hasSuffix($0.name) }),
            let number = decimal(text.dropLast(unit.name.count))
        else { return nil }
        let nanoseconds = number * unit.nanoseconds
        guard nanoseconds <= 100 * 365.25 * 86400e9 else { return nil }
        return .nanoseconds(max(nanoseconds > 0 ? 1 : 0, Int64(nanoseconds.rounded())))
    }

    /// Parses a size: a number of bytes, or a number with the unit `K`, `M`, `G` or `T`, or `KiB`, `MiB`, `GiB` or `TiB`.
    ///
    /// All units are powers of 1024, and their case does not matter. `KB` and `MB` are refused, because they mean powers
    /// of 1000 to some programs.
    ///
    /// - Parameter text: The text, such as `65536`, `512M` or `1.5GiB`.
    /// - Returns: The number of bytes; `nil` if the text is invalid, no whole number of bytes, or too large.
    package static func bytes(_ text: String) -> Int? {
        let lowercased = text.lowercased()
        var (number, shift) = (lowercased[...], 0)
        for (unit, bits) in [("k", 10), ("m", 20), ("g", 30), ("t", 40)] {
            guard let suffix = [unit + "ib", unit].first(where: lowercased.hasSuffix) else { continue }
            (number, shift) = (lowercased.dropLast(suffix.count), bits)
        }
        guard decimal(number) != nil else { return nil }
        let parts = number.split(separator: ".", omittingEmptySubsequences: false)
        guard let whole = Int(parts[0]) else { return nil }
        let (bytes, overflows) = whole.multipliedReportingOverflow(by: 1 << shift)
        guard !overflows else { return nil }
        guard parts.count == 2 else { return bytes }
        guard let fraction = Double("0." + parts[1]) else { return nil }
        let rest = fraction * Double(1 << shift)
        guard rest == rest.rounded() else { return nil }
        let (sum, sumOverflows) = bytes.addingReportingOverflow(Int(rest))
        return sumOverflows ? nil : sum
    }

    /// Parses digits with at most one decimal point between them.
    ///
    /// Swift's own parsers also read "nan", "0x1p4" and "+5".
    private static func decimal(_ text: Substring) -> Double? {
        let parts = text.utf8.split(separator: UInt8(ascii: "."), omittingEmptySubsequences: false)
        guard parts.count <= 2, parts.allSatisfy({ !$0.isEmpty && $0.allSatisfy { (0x30...0x39).contains($0) } }) else {
            return nil
        }
        return Double(text)
    }
}
