internal import JSON

/// A page of runs.
public struct RunPage: Sendable {
    /// The runs, without their output.
    public let runs: [ReceivedRun]
    /// What leads to the next page; `nil`: there is none.
    public let next: String?

    init(_ value: JSONValue) throws(ClientError) {
        guard let object = value.object, let values = object["runs"]?.array else {
            throw .misunderstood("The server sent a list of runs that is none.")
        }
        var runs: [ReceivedRun] = []
        for value in values { runs.append(try ReceivedRun(value)) }
        self.runs = runs
        next = object["next"]?.string
    }
}
