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
        print(result.outcome, result.standardOutput.text)
        await runner.stop()
    }

    static let source = """
        #include <stdio.h>
        int main(void) { int a, b; scanf("%d %d", &a, &b); printf("%d\\n", a + b); }
        """
}
