/// A type whose values can be written as JSON (RFC 8259 §3).
package protocol JSONWritable {
    /// Writes exactly one value: ``JSONWriter/object(_:)``, ``JSONWriter/array(_:)`` or ``JSONWriter/value(_:)``.
    func write(to writer: inout JSONWriter)
}

extension Bool: JSONWritable {
    /// Writes `true` or `false` (RFC 8259 §3).
    package func write(to writer: inout JSONWriter) {
        writer.scalar((self ? "true" : "false").utf8)
    }
}

extension String: JSONWritable {
    /// Writes a string (RFC 8259 §7).
    package func write(to writer: inout JSONWriter) {
        writer.value(utf8: utf8)
    }
}

extension Substring: JSONWritable {
    /// Writes a string (RFC 8259 §7).
    package func write(to writer: inout JSONWriter) {
        writer.value(utf8: utf8)
    }
}

// The service writes these integer types as JSON.
extension Int: JSONWritable {}
extension Int32: JSONWritable {}
extension Int64: JSONWritable {}
extension UInt8: JSONWritable {}
extension UInt16: JSONWritable {}
extension UInt32: JSONWritable {}
extension UInt64: JSONWritable {}

extension FixedWidthInteger where Self: JSONWritable {
    /// Writes an integer with all its digits (RFC 8259 §6).
    ///
    /// A reader that stores numbers as doubles loses digits beyond ±2⁵³.
    package func write(to writer: inout JSONWriter) {
        writer.scalar(String(self).utf8)
    }
}

extension Double: JSONWritable {
    /// Writes the shortest number that reads back as this one (RFC 8259 §6): `10` and `0.1`.
    ///
    /// JSON has no number for infinity and NaN, which become `null` as in ECMAScript. One wrong measurement should not
    /// end the process and with it every run.
    package func write(to writer: inout JSONWriter) {
        guard isFinite else {
            writer.scalar("null".utf8)
            return
        }
        let text = description
        writer.scalar(text.hasSuffix(".0") ? text.dropLast(2).utf8 : text[...].utf8)
    }
}

extension JSONNumber: JSONWritable {
    /// Writes the unchanged literal of the number (RFC 8259 §6).
    package func write(to writer: inout JSONWriter) {
        writer.scalar(literal.utf8)
    }
}

extension JSONValue: JSONWritable {
    /// Writes the value without white space (RFC 8259 §2).
    package func write(to writer: inout JSONWriter) {
        switch self {
        case .null: writer.scalar("null".utf8)
        case .bool(let bool): bool.write(to: &writer)
        case .number(let number): number.write(to: &writer)
        case .string(let string): string.write(to: &writer)
        case .array(let elements):
            writer.array { writer in
                for element in elements { writer.element(element) }
            }
        case .object(let object):
            writer.object { writer in
                for member in object.members { writer.member(member.name, member.value) }
            }
        }
    }
}
