import Glibc
import Reactor
import System
import TestSupport
import Testing

@Suite @ReactorActor struct DescriptorTests {
    @Test func `a descriptor is closed when its owner gives it up`() throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        do {
            let end = pipe.takeWriteEnd()
            #expect(write(end.raw, "x", 1) == 1)
            #expect(!pipe.hasNoWriter)
        }
        #expect(pipe.hasNoWriter)
    }

    @Test func `a released descriptor stays open`() throws {
        let pipe = try TestPipe(nonBlocking: .reading)
        let raw = pipe.takeWriteEnd().release()
        #expect(!pipe.hasNoWriter)
        close(raw)
        #expect(pipe.hasNoWriter)
    }

    @Test func `a descriptor is closed once`() async {
        await #expect(processExitsWith: .success) {
            let first = dup(0)
            do { _ = Descriptor(owning: first) }
            // The next owner of the number keeps it open.
            let second = dup(0)
            #expect(second == first)
            #expect(fcntl(second, F_GETFD) >= 0)
        }
    }

    @Test func `a negative number stops the program`() async {
        await #expect(processExitsWith: .failure) {
            _ = Descriptor(owning: -1)
        }
    }
}
