import Runs
import Testing

@Suite struct CapturedOutputTests {
    @Test func `output is truncated if less was kept than written`() {
        #expect(CapturedOutput(content: .bytes([1, 2]), totalBytes: 3).truncated)
        #expect(!CapturedOutput(content: .bytes([1, 2]), totalBytes: 2).truncated)
        #expect(CapturedOutput(content: .file(path: "/x", count: 9), totalBytes: 10).truncated)
        #expect(!CapturedOutput.empty.truncated)
    }

    @Test func `kept bytes are counted in memory and in a file alike`() {
        #expect(CapturedOutput(content: .bytes([1, 2]), totalBytes: 3).keptBytes == 2)
        #expect(CapturedOutput(content: .file(path: "/x", count: 9), totalBytes: 10).keptBytes == 9)
    }
}
