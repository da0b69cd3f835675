import SandglassRunner

@main struct Grade {
    static func main() async throws {
        let runner = try await Runner.start()
        let result = try await runner.run(["/bin/echo", "hello"], timeout: .seconds(2))
        print(result.outcome, result.standardOutput.text)
        await runner.stop()
    }
}
