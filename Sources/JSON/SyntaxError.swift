/// The text departs from the grammar of RFC 8259; where in the tree that was, the parser knows.
struct SyntaxError: Error {
    let detail: String
}
