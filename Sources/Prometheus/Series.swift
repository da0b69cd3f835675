/// The values of one family under one set of labels.
protocol Series: AnyObject, Sendable {
    /// Appends its lines.
    func write(to text: inout TextFormat, name: String, labels: [(String, String)])
}
