@testable import Sandbox

extension SlotUsage {
    static func make() -> SlotUsage { SlotUsage(user: .zero, system: .zero, peakMemoryBytes: 1, maxResidentBytes: 1) }
}
