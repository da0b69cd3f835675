internal import JSON
package import RunModel
internal import System

/// The content of a `POST /runs` body.
package struct CreateRunRequest: Hashable {
    /// The run to create.
    package var specification: RunSpecification
    /// A Boolean value indicating whether the result of an earlier, identical run may be returned (`cache`).
    package var usesCache = false
}

/// A decoder for the body of `POST /runs`, which yields a valid run or every fault of the body.
package struct CreateRunDecoder {
    private static let maximumLabels = 64
    private static let maximumLabelBytes = 1024

    /// The maxima and defaults of the server.
    private let maxima: RequestLimits
    /// The positions of duplicate members, which the parser has already reported.
    private let duplicates: Set<JSONPointer>
    private var faults: [JSONFault] = []

    private init(maxima: RequestLimits, duplicates: Set<JSONPointer> = []) {
        self.maxima = maxima
        self.duplicates = duplicates
    }

    /// Decodes a body.
    ///
    /// - Parameters:
    ///   - body: the bytes of the body.
    ///   - maxima: the maxima and defaults of the server.
    /// - Returns: the run that the body requests.
    /// - Throws: a problem with all faults. Its status is 400 if the text is not JSON, and 422 if it is no valid run.
    package static func decode(_ body: [UInt8], maxima: RequestLimits) throws(ProblemDocument) -> CreateRunRequest {
        let value: JSONValue
        do {
            value = try JSONParser.parse(body)
        } catch {
            throw ProblemDocument(
                status: 400,
                detail: "The body is not valid JSON.",
                faults: allFaults(error, maxima: maxima)
            )
        }
        var decoder = CreateRunDecoder(maxima: maxima)
        let request = decoder.read(value)
        guard decoder.faults.isEmpty else {
            throw ProblemDocument(status: 422, detail: "The body is not a valid run.", faults: decoder.faults)
        }
        return request
    }

    /// Returns the faults of a text with duplicate members, together with its faults as a run.
    private static func allFaults(_ error: JSONParseError, maxima: RequestLimits) -> [JSONFault] {
        guard let value = error.value else { return error.faults }
        var decoder = CreateRunDecoder(maxima: maxima, duplicates: Set(error.faults.map(\.pointer)))
        _ = decoder.read(value)
        return error.faults + decoder.faults
    }

    // MARK: The run

    /// The names of all members of a run, read from the OpenAPI document at the first unknown member.
    private static let members = OpenAPIDocument.runMemberNames

    private mutating func read(_ value: JSONValue) -> CreateRunRequest {
        var run = RunSpecification(command: [], limits: maxima.defaults)
        var usesCache = false
        guard case .object(let object) = value else {
            refuse(.root, "must be an object, not \(value.typeName)")
            return CreateRunRequest(specification: run)
        }
        for member in object.members {
            let pointer = JSONPointer.root.appending(member.name)
            let value = member.value
            switch member.name {
            case "command": run.command = command(value, pointer)
            case "env": run.environment = environment(value, pointer)
            case "workingDirectory": run.workingDirectory = workingDirectory(value, pointer)
            case "files": run.files = files(value, pointer)
            case "artifacts": run.artifacts = artifacts(value, pointer)
            case "stdin": run.standardInput = content(value, pointer)
            case "graceSeconds": run.grace = seconds(value, pointer, atMost: maxima.grace) ?? .zero
            case "limits": readLimits(value, pointer, into: &run.limits)
            case "image": run.image = image(value, pointer)
            case "network": run.network = network(value, pointer)
            case "cache": usesCache = flag(value, pointer)
            case "labels": run.labels = labels(value, pointer)
            case "mergeStderr": run.mergesStandardError = flag(value, pointer)
            case "onOutputLimit": run.onOutputLimit = choice(value, pointer) ?? .truncate
            case "keepOutput": run.keepOutput = choice(value, pointer) ?? .head
            default:
                if let limit = Limits.table.first(where: { $0.isRunMember && $0.name == member.name }) {
                    read(limit, value, pointer, into: &run.limits)
                } else {
                    let limits = Limits.memberTable.map(\.name)
                    refuse(pointer, UnknownMember.detail(member.name, of: Self.members, inside: ("limits", limits)))
                }
            }
        }
        // The default that follows from the timeout may exceed the server's maximum.
        if run.limits.cpu > maxima.maxima.cpu { run.limits.cpu = maxima.maxima.cpu }
        if run.limits.stackBytes > run.limits.memoryBytes {
            refuse(
                .root.appending("limits").appending("stackBytes"),
                "must be at most memoryBytes, which is \(run.limits.memoryBytes)"
            )
        }
        if object["command"] == nil { refuse(.root.appending("command"), "is required") }
        // Data from the network is not part of the request, so that an earlier result may differ.
        if usesCache, run.network != .none {
            refuse(.root.appending("cache"), "must be false unless network is \"none\"")
        }
        return CreateRunRequest(specification: run, usesCache: usesCache)
    }

    private mutating func command(_ value: JSONValue, _ pointer: JSONPointer) -> [String] {
        guard case .array(let elements) = value else {
            refuse(pointer, "must be an array of strings, not \(value.typeName)")
            return []
        }
        if elements.isEmpty { refuse(pointer, "must have at least one element, the program to run") }
        if elements.count > maxima.commandElements {
            refuse(pointer, "must have at most \(maxima.commandElements, counting: "element"), not \(elements.count)")
            return []
        }
        let arguments = elements.enumerated().map { index, element in kernelString(element, pointer.appending(index)) }
        for (index, argument) in arguments.enumerated() { refuseLong(argument, pointer.appending(index)) }
        if arguments.first == "" { refuse(pointer.appending(0), "must not be empty, because it is the program to run") }
        return arguments.map { $0 ?? "" }
    }

    private mutating func environment(_ value: JSONValue, _ pointer: JSONPointer) -> [String: String] {
        guard case .object(let object) = value else {
            refuse(pointer, "must be an object of strings, not \(value.typeName)")
            return [:]
        }
        var environment: [String: String] = [:]
        for member in object.members {
            let pointer = pointer.appending(member.name)
            if member.name.isEmpty || member.name.utf8.contains(where: { $0 == UInt8(ascii: "=") || $0 == 0 }) {
                refuse(pointer, "the name of a variable must not be empty and must not contain '=' or NUL")
            }
            // JSON compares names by their bytes and a Swift string by canonical equivalence. Neither variable may be
            // lost.
            if environment[member.name] != nil, !duplicates.contains(pointer) {
                refuse(pointer, "the name is equal to that of another variable in Unicode's canonical equivalence")
            }
            let value = kernelString(member.value, pointer)
            refuseLong(value, pointer, name: member.name)
            environment[member.name] = value ?? ""
        }
        return environment
    }

    private mutating func labels(_ value: JSONValue, _ pointer: JSONPointer) -> [String: String] {
        guard case .object(let object) = value else {
            refuse(pointer, "must be an object of strings, not \(value.typeName)")
            return [:]
        }
        if object.members.count > Self.maximumLabels {
            refuse(pointer, "must have at most \(Self.maximumLabels) labels, not \(object.members.count)")
        }
        var labels: [String: String] = [:]
        for member in object.members {
            let pointer = pointer.appending(member.name)
            // A query gives a label as name=value or name:value. Compared by bytes: in a Swift string a colon with a
            // combining accent is a different character.
            if member.name.isEmpty
                || member.name.utf8.contains(where: { $0 == UInt8(ascii: ":") || $0 == UInt8(ascii: "=") })
            {
                refuse(pointer, "the name of a label must not be empty and must not contain '=' or a colon")
            }
            guard case .string(let text) = member.value else {
                refuse(pointer, "must be a string, not \(member.value.typeName)")
                continue
            }
            if max(member.name.utf8.count, text.utf8.count) > Self.maximumLabelBytes {
                refuse(pointer, "name and value must have at most \(Self.maximumLabelBytes) bytes each")
            }
            if member.name.utf8.contains(0) || text.utf8.contains(0) {
                refuse(pointer, "must not contain a NUL character")
            }
            if labels.updateValue(text, forKey: member.name) != nil, !duplicates.contains(pointer) {
                refuse(pointer, "the name is equal to that of another label in Unicode's canonical equivalence")
            }
        }
        return labels
    }

    private mutating func workingDirectory(_ value: JSONValue, _ pointer: JSONPointer) -> String {
        let path = kernelString(value, pointer) ?? "/"
        if path.utf8.first != UInt8(ascii: "/") { refuse(pointer, "must be an absolute path, such as /box") }
        return path
    }

    private mutating func content(_ value: JSONValue, _ pointer: JSONPointer) -> Content {
        var reader = ContentReader()
        defer { faults += reader.faults }
        return reader.content(value, pointer)
    }

    private mutating func files(_ value: JSONValue, _ pointer: JSONPointer) -> [RunFile] {
        var reader = FilesReader(maximum: maxima.files)
        defer { faults += reader.faults }
        return reader.files(value, pointer)
    }

    private mutating func artifacts(_ value: JSONValue, _ pointer: JSONPointer) -> [Glob] {
        var reader = ArtifactsReader(maximum: maxima.artifactPatterns)
        defer { faults += reader.faults }
        return reader.patterns(value, pointer)
    }

    private mutating func flag(_ value: JSONValue, _ pointer: JSONPointer) -> Bool {
        if case .bool(let flag) = value { return flag }
        refuse(pointer, "must be true or false, not \(value.typeName)")
        return false
    }

    private mutating func image(_ value: JSONValue, _ pointer: JSONPointer) -> String {
        if case .string(let name) = value, let known = maxima.images.first(where: { $0 == name }) { return known }
        let names = maxima.images.map { "\"\($0)\"" }.joined(separator: ", ")
        refuse(pointer, "must be the name of an image of this server: \(names)")
        return RunSpecification(command: []).image
    }

    private mutating func network(_ value: JSONValue, _ pointer: JSONPointer) -> RunNetwork {
        guard case .string(let name) = value, let network = RunNetwork(rawValue: name) else {
            refuse(pointer, "must be " + RunNetwork.allCases.map { "\"\($0.rawValue)\"" }.joined(separator: " or "))
            return .none
        }
        if network == .host, !maxima.allowsHostNetwork {
            refuse(pointer, "must be \"none\", because this server was started without --allow-host-network")
        }
        return network
    }

    /// Reads one of the names of an enumeration.
    private mutating func choice<Choice: RawRepresentable<String> & CaseIterable>(
        _ value: JSONValue,
        _ pointer: JSONPointer
    ) -> Choice? {
        if case .string(let name) = value, let choice = Choice(rawValue: name) { return choice }
        let names = Choice.allCases.map { "\"\($0.rawValue)\"" }
        refuse(pointer, "must be " + names.dropLast().joined(separator: ", ") + " or " + (names.last ?? ""))
        return nil
    }

    // MARK: Limits

    private mutating func readLimits(_ value: JSONValue, _ pointer: JSONPointer, into limits: inout Limits) {
        guard case .object(let object) = value else {
            refuse(pointer, "must be an object, not \(value.typeName)")
            return
        }
        for member in object.members {
            let pointer = pointer.appending(member.name)
            if let limit = Limits.memberTable.first(where: { $0.name == member.name }) {
                read(limit, member.value, pointer, into: &limits)
            } else {
                // A limit that stands beside the command is a common mistake as well.
                let names = Limits.memberTable.map(\.name)
                refuse(pointer, UnknownMember.detail(member.name, of: names, outside: Self.members))
            }
        }
    }

    private mutating func read(
        _ limit: LimitDescription,
        _ value: JSONValue,
        _ pointer: JSONPointer,
        into limits: inout Limits
    ) {
        switch limit.value {
        case .seconds(let get, let set):
            guard let duration = seconds(value, pointer, atMost: get(maxima.maxima)) else { return }
            if duration == .zero { refuse(pointer, "must be greater than 0") }
            set(&limits, duration)
        case .number(let minimum, let get, let set):
            guard let number = number(value, pointer, minimum: minimum, maximum: get(maxima.maxima)) else { return }
            set(&limits, number)
        case .decimal(let minimum, let get, let set):
            guard value != .null || get(maxima.maxima) != nil else { return set(&limits, nil) }
            guard let number = decimal(value, pointer, minimum: minimum, maximum: get(maxima.maxima)) else { return }
            set(&limits, number)
        }
    }

    /// Reads a number that may have a fraction.
    private mutating func decimal(
        _ value: JSONValue,
        _ pointer: JSONPointer,
        minimum: Double,
        maximum: Double?
    ) -> Double? {
        guard case .number(let number) = value else {
            let article = maximum == nil ? "a number or null" : "a number"
            refuse(pointer, "must be \(article), not \(value.typeName)")
            return nil
        }
        guard let double = number.double, double.isFinite, double >= minimum, double <= maximum ?? .infinity else {
            let end = maximum.map { " and at most \(Self.shortest($0)), the maximum of this server" } ?? ""
            refuse(pointer, "must be at least \(Self.shortest(minimum))\(end)")
            return nil
        }
        return double
    }

    /// Reads a duration of at least zero; a positive number is never rounded to zero.
    private mutating func seconds(_ value: JSONValue, _ pointer: JSONPointer, atMost maximum: Duration) -> Duration? {
        guard case .number(let number) = value else {
            refuse(pointer, "must be a number of seconds, not \(value.typeName)")
            return nil
        }
        let limit = maximum.inSeconds
        guard let seconds = number.double, seconds <= limit else {
            refuse(pointer, "must be at most \(Self.shortest(limit)), the maximum of this server")
            return nil
        }
        guard seconds >= 0 else {
            refuse(pointer, "must not be negative")
            return nil
        }
        let nanoseconds = Int64((seconds * 1e9).rounded())
        return .nanoseconds(seconds > 0 ? max(nanoseconds, 1) : 0)
    }

    private static func shortest(_ seconds: Double) -> String {
        seconds == seconds.rounded() && seconds < 1e15 ? String(Int(seconds)) : String(seconds)
    }

    private mutating func number(
        _ value: JSONValue,
        _ pointer: JSONPointer,
        minimum: Int,
        maximum: Int
    ) -> Int? {
        guard case .number(let number) = value else {
            refuse(pointer, "must be a whole number, not \(value.typeName)")
            return nil
        }
        guard let whole = number.integer else {
            let tooLarge = number.double.map { $0.rounded() == $0 } ?? true
            refuse(pointer, tooLarge ? "must be from \(minimum) to \(maximum)" : "must be a whole number")
            return nil
        }
        guard whole >= minimum, whole <= maximum else {
            refuse(pointer, "must be from \(minimum) to \(maximum), the maximum of this server")
            return nil
        }
        return Int(whole)
    }

    // MARK: Faults

    /// Reads a string that the kernel will receive as a C string.
    private mutating func kernelString(_ value: JSONValue, _ pointer: JSONPointer) -> String? {
        guard case .string(let text) = value else {
            refuse(pointer, "must be a string, not \(value.typeName)")
            return nil
        }
        if text.utf8.contains(0) { refuse(pointer, "must not contain a NUL character") }
        return text
    }

    /// Refuses an argument, or the value of a variable, with which no command can start (execve(2), E2BIG).
    private mutating func refuseLong(_ text: String?, _ pointer: JSONPointer, name: String? = nil) {
        let count = (text?.utf8.count ?? 0) + (name.map { $0.utf8.count + 1 } ?? 0)
        guard count > RunSpecification.longestString else { return }
        refuse(
            pointer,
            (name == nil ? "must have" : "name, \"=\" and value must have together")
                + " at most \(RunSpecification.longestString) bytes, not \(count), because the kernel accepts no longer "
                + "string; use stdin or files for long text"
        )
    }

    private mutating func refuse(_ pointer: JSONPointer, _ detail: String) {
        faults.append(JSONFault(pointer: pointer, detail: detail))
    }
}
