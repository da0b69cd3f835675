internal import Reactor
internal import Runs
internal import Store

/// Where followers find what a run wrote.
@Reactor
enum OutputSource {
    /// It has not begun.
    case nothing
    /// What keeps it while the run goes on, and as long after that as somebody reads.
    case active(ActiveRun)
    /// A finished run's.
    case kept(KeptOutput)

    func count(of stream: OutputStream) -> Int {
        switch self {
        case .nothing: 0
        case .active(let run): run.recorder(of: stream).count
        case .kept(let output): output.count(of: stream)
        }
    }

    func read(_ stream: OutputStream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        switch self {
        case .nothing: 0
        case .active(let run): run.recorder(of: stream).read(at: offset, into: buffer)
        case .kept(let output): output.read(stream, at: offset, into: buffer)
        }
    }

    var order: OutputOrder {
        switch self {
        case .nothing: OutputOrder()
        case .active(let run): run.order
        case .kept(let output): output.order
        }
    }
}
