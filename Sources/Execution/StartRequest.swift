internal import Reactor
internal import Sandbox
internal import System

/// A command with its streams and files, as each slot receives it that is tried.
final class StartRequest {
    private let command: SlotCommand
    private let standardInput: Descriptor
    private let standardOutput: Descriptor
    private let standardError: Descriptor
    private let blobs: InputBlobs

    init(
        _ command: SlotCommand,
        _ standardInput: consuming Descriptor,
        _ standardOutput: consuming Descriptor,
        _ standardError: consuming Descriptor,
        _ blobs: InputBlobs
    ) {
        self.command = command
        self.standardInput = standardInput
        self.standardOutput = standardOutput
        self.standardError = standardError
        self.blobs = blobs
    }

    @ReactorActor
    func send(to slot: Slot) throws(SystemError) {
        let streams = [standardInput.raw, standardOutput.raw, standardError.raw]
        try slot.start(command, streams: streams, blobCount: blobs.count)
        try blobs.send(to: slot)
    }
}
