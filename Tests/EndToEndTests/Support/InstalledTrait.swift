import Glibc
import Testing

extension Trait where Self == ConditionTrait {
    /// Skips where the program is not in /usr, which is all that a command sees of the host's programs.
    static func needs(_ program: String) -> ConditionTrait {
        .enabled(if: access("/usr/bin/\(program)", X_OK) == 0, "/usr/bin/\(program) is not installed")
    }
}
