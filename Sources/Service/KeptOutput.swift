internal import Reactor
internal import Runs
internal import Store

/// What a finished run wrote, for one who reads it.
@Reactor
final class KeptOutput {
    let order: OutputOrder
    private let outputs: [OutputStream: CapturedOutput]
    /// Opened when they are first read: most runs write little, and to one stream.
    private var files: [OutputStream: OutputFile] = [:]

    init(_ stored: StoredRun) {
        order = stored.order
        outputs = [.standardOutput: stored.run.standardOutput, .standardError: stored.run.standardError]
    }

    func count(of stream: OutputStream) -> Int { outputs[stream]?.keptBytes ?? 0 }

    /// Reads bytes; `nil` if the file has gone or is shorter than it was.
    func read(_ stream: OutputStream, at offset: Int, into buffer: UnsafeMutableRawBufferPointer) -> Int? {
        let wanted = min(count(of: stream) - offset, buffer.count)
        guard wanted > 0 else { return 0 }
        switch outputs[stream]?.content {
        case nil: return 0
        case .bytes(let bytes):
            UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]).copyBytes(from: bytes[offset..<offset + wanted])
            return wanted
        case .file(let path, _):
            guard let file = files[stream] ?? OutputFile(path: path) else { return nil }
            files[stream] = file
            let count = file.read(at: offset, into: UnsafeMutableRawBufferPointer(rebasing: buffer[..<wanted]))
            return count > 0 ? count : nil
        }
    }
}
