internal import CLauncher
internal import Glibc

/// A command in the form that a slot executes: every default is resolved.
package struct SlotCommand: Sendable, Hashable {
    /// The arguments (argv), at least one.
    package let arguments: [String]
    /// The complete environment.
    package let environment: [String: String]
    /// An absolute path inside the sandbox.
    package let workingDirectory: String
    /// The maximum number of open descriptors of each process (RLIMIT_NOFILE).
    package let openFiles: Int
    /// The maximum number of processes and threads at one time.
    package let processes: Int
    /// The memory limit of the run in bytes.
    package let memoryBytes: Int
    /// The limit on the processor time of all processes of the run together.
    package let cpu: Duration
    /// The stack of each process in bytes (RLIMIT_STACK).
    package let stackBytes: Int
    /// The size of the writable file system in bytes, which is fixed when its slot is created.
    package let diskBytes: Int
    /// The input files, created in `/box` before the command starts, together with their parent directories.
    package let files: [SlotFile]
    /// A Boolean value that indicates whether `/box` stays readable after the command has ended (``Slot/takeFiles()``).
    package let keepsFiles: Bool

    /// Creates a command.
    ///
    /// No string of the command may contain a NUL byte.
    package init(
        arguments: [String],
        environment: [String: String],
        workingDirectory: String,
        openFiles: Int,
        processes: Int,
        memoryBytes: Int,
        cpu: Duration,
        diskBytes: Int,
        stackBytes: Int = 8 << 20,
        files: [SlotFile] = [],
        keepsFiles: Bool = false
    ) {
        self.arguments = arguments
        self.environment = environment
        self.workingDirectory = workingDirectory
        self.openFiles = openFiles
        self.processes = processes
        self.memoryBytes = memoryBytes
        self.cpu = cpu
        self.diskBytes = diskBytes
        self.stackBytes = stackBytes
        self.files = files
        self.keepsFiles = keepsFiles
    }
}

/// An entry that a slot creates in `/box` before it starts its command.
package struct SlotFile: Sendable, Hashable {
    /// The origin of a file's contents.
    package enum Source: Sendable, Hashable {
        /// The contents themselves, sent with the command.
        case bytes([UInt8])
        /// The first `count` bytes of one of the descriptors that are sent with the command.
        case descriptor(index: Int, count: Int)
    }

    /// The kind of the entry.
    package enum Kind: Sendable, Hashable {
        /// A file, which every user in the slot may or may not execute.
        case regular(isExecutable: Bool)
        /// A directory; the source is not used.
        case directory
        /// A symbolic link, whose target is the source.
        case symbolicLink
        /// A tar archive, which is unpacked at the path.
        case archive
    }

    /// A path below `/box`, without empty, `.` and `..` components; `.` for an archive that is unpacked in `/box`.
    ///
    /// With `/box/` in front it has at most PATH_MAX bytes.
    package let path: String
    /// The origin of the contents.
    package let source: Source
    /// The kind of the entry.
    package let kind: Kind

    /// Creates an entry.
    ///
    /// The path may not contain a NUL byte.
    package init(path: String, source: Source, kind: Kind) {
        self.path = path
        self.source = source
        self.kind = kind
    }

    /// Creates a file.
    package init(path: String, source: Source, isExecutable: Bool) {
        self.init(path: path, source: source, kind: .regular(isExecutable: isExecutable))
    }
}

// MARK: Encoding

extension SlotCommand {
    /// Encodes the command as a slot reads it.
    ///
    /// The bytes are a `struct sandglass_command`, the files' records, NUL-terminated strings and the contents of the
    /// files.
    ///
    /// - Parameter blobCount: the number of descriptors that are sent after the command.
    /// - Returns: the encoded command.
    func encoded(blobCount: Int = 0) -> [UInt8] {
        var header = sandglass_command()
        header.argument_count = UInt32(arguments.count)
        header.environment_count = UInt32(environment.count)
        header.open_files = UInt64(openFiles)
        header.processes = UInt64(processes)
        header.memory_bytes = UInt64(memoryBytes)
        header.cpu_nanoseconds = Self.nanoseconds(cpu)
        header.stack_bytes = UInt64(stackBytes)
        header.file_count = UInt32(files.count)
        header.blob_count = UInt32(blobCount)
        header.keeps_files = keepsFiles ? 1 : 0
        var text: [UInt8] = []
        func append(_ string: String) {
            text += string.utf8
            text.append(0)
        }
        append(workingDirectory)
        append(environment["PATH"] ?? "")
        for argument in arguments { append(argument) }
        for (name, value) in environment { append(name + "=" + value) }
        for file in files { append(file.path) }
        let recordBytes = files.count * MemoryLayout<sandglass_file>.stride
        header.text_bytes = UInt64(MemoryLayout<sandglass_command>.size + recordBytes + text.count)
        var bytes = withUnsafeBytes(of: header) { Array($0) }
        var offset = header.text_bytes
        for file in files {
            let record = file.record(at: offset)
            if record.blob < 0 { offset += record.length }
            withUnsafeBytes(of: record) { bytes += $0 }
        }
        bytes += text
        for case .bytes(let contents) in files.map(\.source) { bytes += contents }
        return bytes
    }

    private static func nanoseconds(_ duration: Duration) -> UInt64 {
        // A limit of more than 2^32 seconds is no limit. The cap keeps the product within 64 bits.
        let (seconds, attoseconds) = min(max(duration, .zero), .seconds(1 << 32)).components
        return UInt64(seconds) * 1_000_000_000 + UInt64(attoseconds / 1_000_000_000)
    }
}

extension SlotFile {
    /// Returns the file's record, for contents that begin at an offset of the encoded command.
    fileprivate func record(at offset: UInt64) -> sandglass_file {
        var record = sandglass_file()
        switch kind {
        case .regular(let isExecutable):
            record.kind = SANDGLASS_FILE_REGULAR.rawValue
            record.mode = isExecutable ? 0o755 : 0o644
        case .directory: record.kind = SANDGLASS_FILE_DIRECTORY.rawValue
        case .symbolicLink: record.kind = SANDGLASS_FILE_SYMBOLIC_LINK.rawValue
        case .archive: record.kind = SANDGLASS_FILE_ARCHIVE.rawValue
        }
        switch source {
        case .bytes(let contents): (record.offset, record.length, record.blob) = (offset, UInt64(contents.count), -1)
        case .descriptor(let index, let count): (record.length, record.blob) = (UInt64(count), Int32(index))
        }
        return record
    }
}
