internal import Reactor
internal import RunModel
internal import Store

/// The object from which subscribers read the output of a run.
@ReactorActor
enum OutputSource {
    /// The run has not started.
    case nothing
    /// The output of a running run. It stays readable after the run has finished, for as long as a subscriber reads it.
    case active(ActiveRun)
    /// The output of a finished run.
    case stored(StoredOutput)

    func endOffset(of stream: OutputStream) -> Int {
        switch self {
        case .nothing: 0
        case .active(let run): run.recorder(of: stream).endOffset
        case .stored(let output): output.output(of: stream).endOffset
        }
    }

    func readable(_ stream: OutputStream, from offset: Int) -> Range<Int> {
        switch self {
        case .nothing: offset..<offset
        case .active(let run): run.recorder(of: stream).readable(from: offset)
        case .stored(let output): output.output(of: stream).readable(from: offset)
        }
    }

    func read(_ stream: OutputStream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        switch self {
        case .nothing: 0
        case .active(let run): run.recorder(of: stream).read(at: offset, into: buffer)
        case .stored(let output): output.read(stream, at: offset, into: buffer)
        }
    }

    var order: StreamInterleaving {
        switch self {
        case .nothing: StreamInterleaving()
        case .active(let run): run.order
        case .stored(let output): output.order
        }
    }
}

/// A reader of the output of a finished run.
@ReactorActor
final class StoredOutput {
    let order: StreamInterleaving
    private let outputs: [OutputStream: CapturedOutput]
    /// The files, opened at the first read: most runs write little, and to one stream.
    private var files: [OutputStream: OutputFile] = [:]

    init(_ stored: StoredRun) {
        order = stored.interleaving
        outputs = [.standardOutput: stored.run.standardOutput, .standardError: stored.run.standardError]
    }

    func output(of stream: OutputStream) -> CapturedOutput { outputs[stream] ?? .empty }

    /// Reads bytes and returns their number; `nil` if the file was deleted or is shorter than before.
    func read(_ stream: OutputStream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let output = output(of: stream)
        let wanted = min(output.readable(from: offset).upperBound - offset, buffer.count)
        guard wanted > 0 else { return 0 }
        switch output.content {
        case .bytes(let bytes):
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted])
                .copyBytes(from: bytes[output.position(of: offset)...].prefix(wanted))
            return wanted
        case .file(let path, _):
            guard let file = files[stream] ?? OutputFile(path: path) else { return nil }
            files[stream] = file
            let count = file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            return count > 0 ? count : nil
        }
    }
}
