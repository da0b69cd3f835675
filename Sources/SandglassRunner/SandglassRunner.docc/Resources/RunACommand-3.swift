import SandglassRunner

@main struct Grade {
    static func main() async throws {
        let runner = try await Runner.start()

        var command = Runner.Command(["/bin/sh", "-c", "gcc -o add add.c && ./add"])
        command.files = ["add.c": Array(source.utf8)]
        command.standardInput = Array("3 4\n".utf8)
        command.timeout = .seconds(2)
        command.limits.memoryBytes = 64 << 20

        let result = try await runner.run(command)
        switch result.outcome {
        case .exited(code: 0): print(result.standardOutput.text == "7\n" ? "correct" : "wrong")
        case .exited(let code): print("failed with exit code \(code)", result.standardError.text)
        case .signaled(let signal): print("crashed with \(signal.name)")
        case .timedOut, .cpuLimit: print("too slow")
        case .memoryLimit: print("used more than 64 MiB")
        case .outputLimit, .cancelled: print("stopped")
        case .startFailed(let failure): print("could not start: \(failure)")
        }
        await runner.stop()
    }

    static let source = """
        #include <stdio.h>
        int main(void) { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); }
        """
}
