/// A strict reader of Prometheus' text format, version 0.0.4, that also applies promtool's rules.
///
/// <https://prometheus.io/docs/instrumenting/exposition_formats/>, <https://prometheus.io/docs/practices/naming/>
package struct MetricsText {
    /// A fault in a line.
    package struct Fault: Error, CustomStringConvertible {
        /// The fault and the line.
        package let description: String
    }

    /// A sample: a line with a value.
    package struct Sample {
        /// The family's name, with the suffix of a histogram's part.
        package let name: String
        /// The labels.
        package let labels: [String: String]
        /// The value.
        package let value: Double
    }

    /// A family: the lines below one TYPE line.
    package struct Family {
        /// Its name.
        package let name: String
        /// Its type: `counter`, `gauge` or `histogram`.
        package let kind: String
        /// Its help text, still escaped.
        package let help: String?
        /// Its samples.
        package var samples: [Sample] = []
    }

    /// All families in their order.
    package private(set) var families: [Family] = []

    /// Reads a whole response.
    package init(_ text: String) throws(Fault) {
        guard text.isEmpty || text.hasSuffix("\n") else { throw Fault(description: "the last line has no end") }
        var help: (name: String, text: String)?
        for line in text.split(separator: "\n", omittingEmptySubsequences: false).dropLast() {
            if line.hasPrefix("# HELP ") {
                let words = line.dropFirst(7).split(separator: " ", maxSplits: 1, omittingEmptySubsequences: false)
                guard help == nil, words.count == 2, !words[1].isEmpty else {
                    throw Fault(description: "help: \(line)")
                }
                help = (String(words[0]), String(words[1]))
            } else if line.hasPrefix("# TYPE ") {
                let words = line.dropFirst(7).split(separator: " ", omittingEmptySubsequences: false).map(String.init)
                guard words.count == 2, ["counter", "gauge", "histogram"].contains(words[1]), Self.isName(words[0]),
                    help.map({ $0.name == words[0] }) ?? true, !families.contains(where: { $0.name == words[0] })
                else { throw Fault(description: "type: \(line)") }
                families.append(Family(name: words[0], kind: words[1], help: help?.text))
                help = nil
            } else {
                guard help == nil, !families.isEmpty else { throw Fault(description: "no type: \(line)") }
                families[families.count - 1].samples.append(try Self.sample(line))
            }
        }
        for family in families { try Self.check(family) }
        guard families.map(\.name) == families.map(\.name).sorted() else { throw Fault(description: "not in order") }
    }

    /// Returns the value of a sample, or `nil` if there is none.
    package func value(_ name: String, _ labels: [String: String] = [:]) -> Double? {
        for family in families {
            for sample in family.samples where sample.name == name && sample.labels == labels { return sample.value }
        }
        return nil
    }

    /// Returns the values of a family by one of its labels.
    package func values(_ name: String, by label: String) -> [String: Double] {
        let samples = families.first { $0.name == name }?.samples ?? []
        return Dictionary(samples.map { ($0.labels[label] ?? "", $0.value) }, uniquingKeysWith: +)
    }

    // MARK: Lines

    private static func sample(_ line: Substring) throws(Fault) -> Sample {
        let name = line.prefix { $0 != "{" && $0 != " " }
        var rest = line.dropFirst(name.count)
        var labels: [String: String] = [:]
        if rest.first == "{" {
            rest.removeFirst()
            repeat {
                let label = rest.prefix { $0 != "=" }
                rest = rest.dropFirst(label.count)
                guard isLabel(String(label)), rest.hasPrefix("=\"") else { throw Fault(description: "label: \(line)") }
                rest = rest.dropFirst(2)
                var value = ""
                while let character = rest.popFirst(), character != "\"" {
                    guard character == "\\" else {
                        value.append(character)
                        continue
                    }
                    switch rest.popFirst() {
                    case "n": value.append("\n")
                    case "\\": value.append("\\")
                    case "\"": value.append("\"")
                    default: throw Fault(description: "escape: \(line)")
                    }
                }
                guard labels.updateValue(value, forKey: String(label)) == nil else {
                    throw Fault(description: "label twice: \(line)")
                }
                guard let next = rest.popFirst(), next == "," || next == "}" else {
                    throw Fault(description: "\(line)")
                }
                if next == "}" { break }
            } while true
        }
        guard isName(String(name)), rest.popFirst() == " ", let value = number(rest) else {
            throw Fault(description: "sample: \(line)")
        }
        return Sample(name: String(name), labels: labels, value: value)
    }

    private static func number(_ text: Substring) -> Double? {
        switch text {
        case "+Inf": .infinity
        case "-Inf": -.infinity
        case "NaN": .nan
        default: text.utf8.allSatisfy { "0123456789+-.e".utf8.contains($0) } ? Double(text) : nil
        }
    }

    private static func isName(_ text: String) -> Bool { isLabel(text.replacing(":", with: "_")) }

    private static func isLabel(_ text: String) -> Bool { text.wholeMatch(of: #/[a-zA-Z_][a-zA-Z0-9_]*/#) != nil }

    // MARK: Families

    private static func check(_ family: Family) throws(Fault) {
        func require(_ condition: Bool, _ what: String) throws(Fault) {
            if !condition { throw Fault(description: "\(family.name): \(what)") }
        }
        try require(!family.samples.isEmpty, "no samples")
        var seen: Set<String> = []
        for sample in family.samples {
            let name = "\(sample.name)\(sample.labels.sorted { $0.key < $1.key })"
            try require(seen.insert(name).inserted, "twice: \(name)")
        }
        switch family.kind {
        case "histogram": try checkHistogram(family, require)
        case "counter":
            try require(family.name.hasSuffix("_total"), "a counter's name ends in _total")
            try require(family.samples.allSatisfy { $0.name == family.name && $0.value >= 0 }, "a counter's samples")
        default:
            try require(!family.name.hasSuffix("_total"), "a gauge's name does not end in _total")
            try require(family.samples.allSatisfy { $0.name == family.name }, "a gauge's samples")
        }
    }

    private static func checkHistogram(
        _ family: Family,
        _ require: (Bool, String) throws(Fault) -> Void
    ) throws(Fault) {
        let suffixes = ["_bucket", "_sum", "_count"]
        try require(
            family.samples.allSatisfy { suffixes.map { family.name + $0 }.contains($0.name) },
            "a histogram's names"
        )
        var groups: [[String: String]: [Sample]] = [:]
        for sample in family.samples {
            groups[sample.labels.filter { $0.key != "le" }, default: []].append(sample)
        }
        for (labels, samples) in groups {
            let buckets = samples.filter { $0.name == family.name + "_bucket" }
            let bounds = buckets.compactMap { number(Substring($0.labels["le"] ?? "")) }
            try require(bounds.count == buckets.count && bounds.last == .infinity, "bounds of \(labels)")
            try require(zip(bounds, bounds.dropFirst()).allSatisfy { $0 < $1 }, "bounds in order")
            let counts = buckets.map(\.value)
            try require(zip(counts, counts.dropFirst()).allSatisfy { $0 <= $1 }, "cumulative")
            let count = samples.filter { $0.name == family.name + "_count" }.map(\.value)
            try require(count == counts.suffix(1), "the count is that of the last bucket")
            try require(samples.count { $0.name == family.name + "_sum" } == 1, "one sum")
        }
    }
}
