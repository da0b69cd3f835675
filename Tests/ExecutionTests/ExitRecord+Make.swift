import Reactor
import Sandbox
import System

extension ExitRecord {
    static func make(
        _ waitStatus: Int32,
        terminated: Bool = false,
        killed: Bool = false,
        usedUpProcessorTime: Bool = false,
        ranOutOfMemory: Bool = false
    ) -> ExitRecord {
        ExitRecord(
            waitStatus: waitStatus,
            wasTerminated: terminated,
            wasKilled: killed,
            usedUpProcessorTime: usedUpProcessorTime,
            ranOutOfMemory: ranOutOfMemory,
            startedAt: MonotonicTime(nanoseconds: 1000),
            endedAt: MonotonicTime(nanoseconds: 2000),
            user: .zero,
            system: .zero,
            peakMemoryBytes: 1,
            maxResidentBytes: 1
        )
    }
}
