import Testing

@testable import Sandbox

struct PlanMemoryTests {
    @Test func `what is kept is what was given`() throws {
        let memory = try #require(PlanMemory())
        let text = try #require(memory.keep("a"))
        let numbers = try #require(memory.keep([UInt64.max, 1]))
        #expect(String(cString: text) == "a")
        #expect(numbers[0] == UInt64.max && numbers[1] == 1)
        #expect(UInt(bitPattern: numbers) % 8 == 0)
    }

    @Test func `nothing takes no place`() throws {
        let memory = try #require(PlanMemory())
        #expect(memory.keep([UInt64]()) == nil)
        #expect(!memory.isFull)
    }

    @Test func `what has no place is said`() throws {
        let memory = try #require(PlanMemory())
        #expect(memory.keep([UInt8](repeating: 0, count: PlanMemory.length + 1)) == nil)
        #expect(memory.isFull)
    }
}
