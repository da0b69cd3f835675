internal import JSON
internal import Runs

/// Reads a body of `POST /runs`: a valid run, or every fault that it has.
struct RunRequest {
    /// The least of each limit, below which nothing can be started: a slot has to live in `memoryBytes` too, a file
    /// system has at least one page, and a command has three streams.
    private static let leastMemory = 1 << 20
    private static let leastDisk = 4096
    private static let leastOpenFiles = 3

    private static let mostLabels = 64
    private static let longestLabel = 1024

    private let maxima: RequestMaxima
    /// The members that are there more than once, of which has been told.
    private let duplicates: Set<JSONPointer>
    private var faults: [JSONFault] = []

    private init(maxima: RequestMaxima, duplicates: Set<JSONPointer> = []) {
        self.maxima = maxima
        self.duplicates = duplicates
    }

    /// The run that a body asks for.
    static func decode(_ body: [UInt8], maxima: RequestMaxima) throws(Problem) -> RunOrder {
        let value: JSONValue
        do {
            value = try JSONParser.parse(body)
        } catch {
            throw Problem(status: 400, detail: "The body is not valid JSON.", faults: allFaults(error, maxima: maxima))
        }
        var request = RunRequest(maxima: maxima)
        let order = request.read(value)
        guard request.faults.isEmpty else {
            throw Problem(status: 422, detail: "The body is not a valid run.", faults: request.faults)
        }
        return order
    }

    /// The faults of a text whose members are not unique, and with them those that it has as a run.
    private static func allFaults(_ error: JSONParseError, maxima: RequestMaxima) -> [JSONFault] {
        guard let value = error.value else { return error.faults }
        var request = RunRequest(maxima: maxima, duplicates: Set(error.faults.map(\.pointer)))
        _ = request.read(value)
        return error.faults + request.faults
    }

    // MARK: The run

    private mutating func read(_ value: JSONValue) -> RunOrder {
        var run = RunSpecification(command: [], limits: maxima.defaults)
        var usesCache = false
        guard case .object(let object) = value else {
            refuse(.root, "must be an object, not \(value.typeName)")
            return RunOrder(specification: run)
        }
        for member in object.members {
            let place = JSONPointer.root.appending(member.name)
            let value = member.value
            switch member.name {
            case "command": run.command = command(value, place)
            case "env": run.environment = environment(value, place)
            case "workingDirectory": run.workingDirectory = workingDirectory(value, place)
            case "files": run.files = files(value, place)
            case "artifacts": run.artifacts = artifacts(value, place)
            case "stdin": run.standardInput = content(value, place)
            case "timeoutSeconds": run.limits.timeout = timeout(value, place)
            case "graceSeconds": run.grace = grace(value, place)
            case "limits": readLimits(value, place, into: &run.limits)
            case "image": run.image = image(value, place)
            case "network": run.network = network(value, place)
            case "cache": usesCache = flag(value, place)
            case "labels": run.labels = labels(value, place)
            case "onOutputLimit": run.onOutputLimit = outputLimitPolicy(value, place)
            default: refuse(place, "is not known")
            }
        }
        // What follows from the timeout may be more than the server allows.
        if run.limits.cpu > maxima.cpu { run.limits.cpu = maxima.cpu }
        if object["command"] == nil { refuse(.root.appending("command"), "is required") }
        // What it hears there is not part of what it was asked for.
        if usesCache, run.network != .none {
            refuse(.root.appending("cache"), "must be false where network is not \"none\"")
        }
        return RunOrder(specification: run, usesCache: usesCache)
    }

    private mutating func command(_ value: JSONValue, _ place: JSONPointer) -> [String] {
        guard case .array(let elements) = value else {
            refuse(place, "must be an array of strings, not \(value.typeName)")
            return []
        }
        if elements.isEmpty { refuse(place, "must have at least one element: the program to run") }
        if elements.count > maxima.commandElements {
            refuse(place, "must have at most \(maxima.commandElements) elements, not \(elements.count)")
            return []
        }
        let arguments = elements.enumerated().map { index, element in kernelString(element, place.appending(index)) }
        if arguments.first == "" { refuse(place.appending(0), "must not be empty: it is the program to run") }
        return arguments.map { $0 ?? "" }
    }

    private mutating func environment(_ value: JSONValue, _ place: JSONPointer) -> [String: String] {
        guard case .object(let object) = value else {
            refuse(place, "must be an object of strings, not \(value.typeName)")
            return [:]
        }
        var environment: [String: String] = [:]
        for member in object.members {
            let place = place.appending(member.name)
            if member.name.isEmpty || member.name.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 }) {
                refuse(place, "a variable's name must not be empty and must not hold '=' or NUL")
            }
            // JSON tells them apart by their bytes, a Swift string by what they mean: neither may be lost.
            if environment[member.name] != nil, !duplicates.contains(place) {
                refuse(place, "another variable's name is the same to Unicode")
            }
            environment[member.name] = kernelString(member.value, place) ?? ""
        }
        return environment
    }

    private mutating func labels(_ value: JSONValue, _ place: JSONPointer) -> [String: String] {
        guard case .object(let object) = value else {
            refuse(place, "must be an object of strings, not \(value.typeName)")
            return [:]
        }
        if object.members.count > Self.mostLabels { refuse(place, "must have at most \(Self.mostLabels) labels") }
        var labels: [String: String] = [:]
        for member in object.members {
            let place = place.appending(member.name)
            // By bytes: to a Swift string a colon with an accent behind it is another character.
            if member.name.isEmpty || member.name.utf8.contains(UInt8(ascii: ":")) {
                refuse(place, "a label's name must not be empty and must not hold a colon")
            }
            guard case .string(let text) = member.value else {
                refuse(place, "must be a string, not \(member.value.typeName)")
                continue
            }
            if max(member.name.utf8.count, text.utf8.count) > Self.longestLabel {
                refuse(place, "name and value must have at most \(Self.longestLabel) bytes each")
            }
            if member.name.utf8.contains(0) || text.utf8.contains(0) { refuse(place, "must not hold a NUL character") }
            if labels.updateValue(text, forKey: member.name) != nil, !duplicates.contains(place) {
                refuse(place, "another label's name is the same to Unicode")
            }
        }
        return labels
    }

    private mutating func workingDirectory(_ value: JSONValue, _ place: JSONPointer) -> String {
        let path = kernelString(value, place) ?? "/"
        if path.utf8.first != UInt8(ascii: "/") { refuse(place, "must be an absolute path, such as /box") }
        return path
    }

    private mutating func content(_ value: JSONValue, _ place: JSONPointer) -> Content {
        var reader = ContentReader()
        defer { faults += reader.faults }
        return reader.content(value, place)
    }

    private mutating func files(_ value: JSONValue, _ place: JSONPointer) -> [RunFile] {
        var reader = FilesReader(most: maxima.files)
        defer { faults += reader.faults }
        return reader.files(value, place)
    }

    private mutating func artifacts(_ value: JSONValue, _ place: JSONPointer) -> [Glob] {
        var reader = ArtifactsReader(most: maxima.artifactPatterns)
        defer { faults += reader.faults }
        return reader.patterns(value, place)
    }

    private mutating func flag(_ value: JSONValue, _ place: JSONPointer) -> Bool {
        if case .bool(let flag) = value { return flag }
        refuse(place, "must be true or false, not \(value.typeName)")
        return false
    }

    private mutating func image(_ value: JSONValue, _ place: JSONPointer) -> String {
        if case .string(let name) = value, let known = maxima.images.first(where: { $0 == name }) { return known }
        let names = maxima.images.map { "\"\($0)\"" }.joined(separator: ", ")
        refuse(place, "must be the name of an image that this server has: \(names)")
        return RunSpecification(command: []).image
    }

    private mutating func network(_ value: JSONValue, _ place: JSONPointer) -> RunNetwork {
        guard case .string(let name) = value, let network = RunNetwork(rawValue: name) else {
            refuse(place, "must be " + RunNetwork.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
            return .none
        }
        if network == .host, !maxima.allowsHostNetwork {
            refuse(
                place,
                "must be \"none\": this server does not let runs use the host's network (--allow-host-network)"
            )
        }
        return network
    }

    private mutating func outputLimitPolicy(_ value: JSONValue, _ place: JSONPointer) -> OutputLimitPolicy {
        if case .string(let name) = value, let policy = OutputLimitPolicy(rawValue: name) { return policy }
        let names = OutputLimitPolicy.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or ")
        refuse(place, "must be \(names)")
        return .truncate
    }

    // MARK: Limits

    private mutating func timeout(_ value: JSONValue, _ place: JSONPointer) -> Duration {
        let timeout = seconds(value, place, atMost: maxima.timeout)
        if timeout == .zero { refuse(place, "must be greater than 0") }
        return timeout ?? maxima.defaults.timeout
    }

    private mutating func grace(_ value: JSONValue, _ place: JSONPointer) -> Duration {
        seconds(value, place, atMost: maxima.grace) ?? .zero
    }

    private mutating func readLimits(_ value: JSONValue, _ place: JSONPointer, into limits: inout Limits) {
        guard case .object(let object) = value else {
            refuse(place, "must be an object, not \(value.typeName)")
            return
        }
        for member in object.members {
            let place = place.appending(member.name)
            switch member.name {
            case "outputBytes":
                limits.outputBytes = count(member.value, place, atMost: maxima.outputBytes) ?? limits.outputBytes
            case "cpuSeconds": limits.cpu = cpu(member.value, place) ?? limits.cpu
            case "memoryBytes":
                limits.memoryBytes =
                    count(member.value, place, from: Self.leastMemory, atMost: maxima.memoryBytes) ?? limits.memoryBytes
            case "processes":
                limits.processes =
                    count(member.value, place, from: 1, atMost: maxima.processes) ?? limits.processes
            case "diskBytes":
                limits.diskBytes =
                    count(member.value, place, from: Self.leastDisk, atMost: maxima.diskBytes) ?? limits.diskBytes
            case "openFiles":
                limits.openFiles =
                    count(member.value, place, from: Self.leastOpenFiles, atMost: maxima.openFiles) ?? limits.openFiles
            default: refuse(place, "is not known")
            }
        }
    }

    private mutating func cpu(_ value: JSONValue, _ place: JSONPointer) -> Duration? {
        let cpu = seconds(value, place, atMost: maxima.cpu)
        if cpu == .zero { refuse(place, "must be greater than 0") }
        return cpu
    }

    private static func shortest(_ seconds: Double) -> String {
        seconds == seconds.rounded() && seconds < 1e15 ? String(Int(seconds)) : String(seconds)
    }

    /// A duration of at least 0.
    ///
    /// What is above 0 does not become 0 by rounding.
    private mutating func seconds(_ value: JSONValue, _ place: JSONPointer, atMost maximum: Duration) -> Duration? {
        guard case .number(let number) = value else {
            refuse(place, "must be a number of seconds, not \(value.typeName)")
            return nil
        }
        let limit = maximum.inSeconds
        guard let seconds = number.double, seconds <= limit else {
            refuse(place, "must be at most \(Self.shortest(limit)), the most that this server allows")
            return nil
        }
        guard seconds >= 0 else {
            refuse(place, "must not be negative")
            return nil
        }
        let nanoseconds = Int64((seconds * 1e9).rounded())
        return .nanoseconds(seconds > 0 ? max(nanoseconds, 1) : 0)
    }

    private mutating func count(
        _ value: JSONValue,
        _ place: JSONPointer,
        from least: Int = 0,
        atMost maximum: Int
    ) -> Int? {
        guard case .number(let number) = value else {
            refuse(place, "must be a whole number, not \(value.typeName)")
            return nil
        }
        guard let whole = number.integer else {
            let tooLarge = number.double.map { $0.rounded() == $0 } ?? true
            refuse(place, tooLarge ? "must be from \(least) to \(maximum)" : "must be a whole number")
            return nil
        }
        guard whole >= least, whole <= maximum else {
            refuse(place, "must be from \(least) to \(maximum), the most that this server allows")
            return nil
        }
        return Int(whole)
    }

    // MARK: Faults

    /// A string that the kernel will see as a C string.
    private mutating func kernelString(_ value: JSONValue, _ place: JSONPointer) -> String? {
        guard case .string(let text) = value else {
            refuse(place, "must be a string, not \(value.typeName)")
            return nil
        }
        if text.utf8.contains(0) { refuse(place, "must not hold a NUL character") }
        return text
    }

    private mutating func refuse(_ place: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: place, detail: detail))
    }
}
