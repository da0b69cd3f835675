import RunModel
import Testing

@Suite struct LimitsTests {
    @Test func `the table has the names of the contract in the order of the documents`() {
        #expect(
            Limits.table.map(\.name) == [
                "timeoutSeconds", "cpuSeconds", "memoryBytes", "processes", "outputBytes", "diskBytes", "openFiles",
                "stackBytes", "cpus",
            ]
        )
        #expect(Limits.table.filter(\.isRunMember).map(\.name) == ["timeoutSeconds"])
        #expect(Limits.memberTable.map(\.name) == Limits.table.dropFirst().map(\.name))
    }

    @Test func `the name of a limit ends in its unit`() {
        for limit in Limits.table {
            let unit: LimitDescription.Unit =
                limit.name.hasSuffix("Seconds") ? .seconds : limit.name.hasSuffix("Bytes") ? .bytes : .count
            #expect(limit.unit == unit, "\(limit.name)")
        }
    }

    @Test func `each row reads and writes a limit of its own`() {
        var limits = Limits()
        for (index, limit) in Limits.table.enumerated() {
            switch limit.value {
            case .seconds(_, let set): set(&limits, .seconds(1000 + index))
            case .number(_, _, let set): set(&limits, 1000 + index)
            case .decimal(_, _, let set): set(&limits, 1000.5 + Double(index))
            }
        }
        for (index, limit) in Limits.table.enumerated() {
            switch limit.value {
            case .seconds(let get, _): #expect(get(limits) == .seconds(1000 + index), "\(limit.name)")
            case .number(_, let get, _): #expect(get(limits) == 1000 + index, "\(limit.name)")
            case .decimal(_, let get, _): #expect(get(limits) == 1000.5 + Double(index), "\(limit.name)")
            }
        }
        let expected = Limits(
            timeout: .seconds(1000),
            cpu: .seconds(1001),
            memoryBytes: 1002,
            processes: 1003,
            outputBytes: 1004,
            diskBytes: 1005,
            openFiles: 1006,
            stackBytes: 1007,
            cpus: 1008.5
        )
        #expect(limits == expected)
    }

    @Test func `each default is between the minimum and the default maximum`() {
        for limit in Limits.table {
            switch limit.value {
            case .seconds(let get, _):
                #expect(get(Limits()) > .zero && get(Limits()) <= get(Limits.defaultMaxima), "\(limit.name)")
            case .number(let minimum, let get, _):
                #expect((minimum...get(Limits.defaultMaxima)).contains(get(Limits())), "\(limit.name)")
            case .decimal(_, let get, _):
                #expect(get(Limits()) == nil && get(Limits.defaultMaxima) == nil, "\(limit.name)")
            }
        }
    }

    @Test func `limits with a fixed default are lowered to the maxima`() {
        var limits = Limits()
        var maxima = Limits.defaultMaxima
        (maxima.timeout, maxima.cpu, maxima.memoryBytes, maxima.openFiles) = (.seconds(2), .seconds(3), 1 << 20, 5)
        limits.lowerFixedLimits(to: maxima)
        #expect(limits.timeout == .seconds(2))
        #expect(limits.memoryBytes == 1 << 20)
        #expect(limits.openFiles == 5)
        #expect(limits.processes == 512)
        #expect(limits.cpus == nil)
        maxima.cpus = 1.5
        limits.lowerFixedLimits(to: maxima)
        #expect(limits.cpus == 1.5)
        limits.cpus = 0.5
        limits.lowerFixedLimits(to: maxima)
        #expect(limits.cpus == 0.5)
    }

    @Test func `the default processor time still follows from the timeout after it was lowered`() {
        var limits = Limits()
        limits.defaultProcessors = 64
        var maxima = Limits.defaultMaxima
        maxima.cpu = .seconds(100)
        limits.lowerFixedLimits(to: maxima)
        limits.timeout = .seconds(1)
        #expect(limits.cpu == .seconds(64))
    }
}
