import Glibc
import Reactor
import Testing

@testable import Sandbox

@Suite struct SetupFailureTests {
    @Test func `the description has the step, the index and the error`() {
        let failure = SetupFailure(step: .rootEntry, index: 3, number: ENOENT)
        #expect("\(failure)" == "root_entry 3: No such file or directory (ENOENT)")
    }

    @Test func `the advice explains how to allow user namespaces`() {
        #expect("\(SetupFailure(step: .launcherUserNamespace, number: EPERM))".contains("sysctl"))
        #expect("\(SetupFailure(step: .clone, number: EPERM))".contains("--privileged"))
    }

    @Test func `only failures of the working directory and exec are the command's fault`() {
        #expect(SetupStep.workingDirectory.isCommandFault)
        #expect(SetupStep.exec.isCommandFault)
        for step in [SetupStep.fork, .standardStreams, .limits, .slot, .launcher, .clone, .scratch, .request] {
            #expect(!step.isCommandFault)
        }
    }
}
