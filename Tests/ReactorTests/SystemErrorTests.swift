import Glibc
import Reactor
import Testing

@Suite struct SystemErrorTests {
    @Test func `an error has its name and meaning`() {
        let error = SystemError("open /x", number: ENOENT)
        #expect(error.name == "ENOENT")
        #expect("\(error)" == "open /x: No such file or directory (ENOENT)")
    }

    @Test func `an error takes the number that the last call left`() {
        close(-1)
        #expect(SystemError("close").number == EBADF)
    }

    @Test func `an unknown number is shown as it is`() {
        #expect(SystemError.name(of: 4095) == "E4095")
        #expect(SystemError.meaning(of: 4095) == "Unknown error")
    }
}
