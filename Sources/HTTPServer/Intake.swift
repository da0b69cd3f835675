/// A request as it arrives: what MHD carries from one of its callbacks to the next.
final class Intake {
    enum Stage {
        /// The request line is there, the headers are not.
        case line(Result<RequestTarget, RequestRefusal>, targetBytes: Int)
        /// The head is there and accepted; the body is arriving, into its request.
        case body(Exchange)
        /// It was refused with an answer that MHD sends.
        case refused
        /// It was refused with an answer that we wrote ourselves; so many more bytes are read and dropped.
        case draining(bytesLeft: Int)
        /// The handler has it.
        case handed(Exchange)
    }

    var stage: Stage

    init(target: UnsafeBufferPointer<UInt8>, mostBytes: Int) {
        guard target.count <= mostBytes else {
            let refusal = RequestRefusal(414, "The target is over \(mostBytes) bytes.")
            stage = .line(.failure(refusal), targetBytes: target.count)
            return
        }
        do throws(RequestRefusal) {
            stage = .line(.success(try RequestTarget(target)), targetBytes: target.count)
        } catch {
            stage = .line(.failure(error), targetBytes: target.count)
        }
    }
}
