/// Text of somebody else that is shown on a terminal.
public enum TerminalText {
    /// The text with everything spelt out that a terminal would obey instead of showing it.
    ///
    /// Those are control characters (C0, DEL, C1), which begin escape sequences, and what changes the direction of writing
    /// or begins a line: one line stays one, and shows its characters in their order.
    ///
    /// - Parameter text: what somebody else has chosen, such as a path or a label.
    /// - Returns: one line, in which `\u{1b}` stands for ESC.
    public static func harmless(_ text: String) -> String {
        guard text.unicodeScalars.contains(where: isHarmful) else { return text }
        return text.unicodeScalars.reduce(into: "") { result, scalar in
            if isHarmful(scalar) {
                result += "\\u{\(String(scalar.value, radix: 16))}"
            } else {
                result.unicodeScalars.append(scalar)
            }
        }
    }

    private static func isHarmful(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.properties.generalCategory {
        case .control, .lineSeparator, .paragraphSeparator: true
        // Among them those of U+202A to U+202E and U+2066 to U+2069.
        case .format: scalar.properties.isBidiControl
        default: false
        }
    }

    /// A text cut to so many characters, with `…` at its end if it was longer.
    public static func cut(_ text: String, to width: Int) -> String {
        guard width > 0 else { return "" }
        return text.count > width ? text.prefix(width - 1) + "…" : text
    }
}
