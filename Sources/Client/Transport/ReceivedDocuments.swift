internal import JSON
internal import RunAPI

extension ReceivedRun {
    /// Decodes the document of a run.
    ///
    /// - Throws: `invalidResponse` if the value is not a run.
    init(_ value: JSONValue) throws(ClientError) {
        do throws(MalformedDocument) {
            self = try ReceivedRun(json: value)
        } catch {
            throw ClientError(error)
        }
    }
}

extension RunPage {
    /// Decodes a page of runs.
    ///
    /// - Throws: `invalidResponse` if the value is not a page of runs.
    init(_ value: JSONValue) throws(ClientError) {
        do throws(MalformedDocument) {
            self = try RunPage(json: value)
        } catch {
            throw ClientError(error)
        }
    }
}

extension ClientError {
    /// Converts the error of a document that the contract does not allow.
    init(_ error: MalformedDocument) { self = .invalidResponse(error.description) }
}
