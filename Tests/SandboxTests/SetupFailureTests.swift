import Glibc
import Reactor
import Testing

@testable import Sandbox

@Suite struct SetupFailureTests {
    @Test func `it says what failed, which one, and why`() {
        let failure = SetupFailure(step: .rootEntry, index: 3, number: ENOENT)
        #expect("\(failure)" == "root_entry 3: No such file or directory (ENOENT)")
    }

    @Test func `a host that forbids user namespaces is told how to allow them`() {
        #expect("\(SetupFailure(step: .launcherUserNamespace, number: EPERM))".contains("sysctl"))
        #expect("\(SetupFailure(step: .clone, number: EPERM))".contains("--privileged"))
    }

    @Test func `only the working directory and exec are the command's own fault`() {
        #expect(SetupStep.workingDirectory.isTheCommands)
        #expect(SetupStep.exec.isTheCommands)
        for step in [SetupStep.fork, .standardStreams, .limits, .slot, .launcher, .clone, .scratch, .request] {
            #expect(!step.isTheCommands)
        }
    }
}
