import Glibc
import Reactor
import TestSupport
import Testing

@Suite @Reactor struct DescriptorTests {
    @Test func `it is closed when its owner lets go of it`() throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        do {
            let end = pipe.takeWriteEnd()
            #expect(write(end.raw, "x", 1) == 1)
            #expect(!pipe.hasNoWriter)
        }
        #expect(pipe.hasNoWriter)
    }

    @Test func `one that was released stays open`() throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        let raw = pipe.takeWriteEnd().release()
        #expect(!pipe.hasNoWriter)
        close(raw)
        #expect(pipe.hasNoWriter)
    }

    @Test func `it is closed once`() async {
        await #expect(processExitsWith: .success) {
            let first = dup(0)
            do { _ = Descriptor(owning: first) }
            // The number's next owner keeps it, whatever becomes of the first.
            let second = dup(0)
            #expect(second == first)
            #expect(fcntl(second, F_GETFD) >= 0)
        }
    }

    @Test func `what is not a descriptor stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = Descriptor(owning: -1)
        }
    }
}
