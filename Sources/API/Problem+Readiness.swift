internal import Glibc
internal import HTTPServer
internal import Sandbox
internal import Service
internal import Store

extension Problem {
    /// Why the server could not start or remember a run now; `nil` if it could.
    init?(_ faults: [ReadinessFault]) {
        guard !faults.isEmpty else { return nil }
        self.init(
            status: 503,
            detail: "The server could not take a run now: \(faults.map(Self.text).joined(separator: "; ")).",
            headers: [HeaderField("Retry-After", "1")]
        )
    }

    private static func text(_ fault: ReadinessFault) -> String {
        switch fault {
        case .stopping: "it is being stopped"
        case .launcher(let failure) where failure.number == ETIMEDOUT: "its launcher does not answer"
        case .launcher(let failure): "its launcher makes no sandbox (\(failure))"
        case .store(let error) where error.isOutOfSpace: "its disk is full"
        case .store(let error): "its store cannot write (\(error.operation): \(error.detail))"
        case .storeIsSilent: "its store does not answer"
        }
    }
}
