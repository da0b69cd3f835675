import Glibc
import Reactor
import System
import Testing

@Suite struct SystemErrorTests {
    @Test func `an error has a name and a meaning`() {
        let error = SystemError("open /x", number: ENOENT)
        #expect(error.name == "ENOENT")
        #expect("\(error)" == "open /x: No such file or directory (ENOENT)")
    }

    @Test func `an error takes the number of the last failed call`() {
        close(-1)
        #expect(SystemError("close").number == EBADF)
    }

    @Test func `an unknown error number is shown as a number`() {
        #expect(SystemError.name(of: 4095) == "E4095")
        #expect(SystemError.meaning(of: 4095) == "Unknown error")
    }
}
