internal import Glibc

/// Tests one input, a body of `POST /runs`; libFuzzer calls this entry point.
///
/// `Harnesses/fuzz/json` builds and runs it. A violated property ends the process, and libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRunRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer passes `count` bytes, and they are copied before this function returns.
    let text = Array(UnsafeBufferPointer(start: start, count: count))
    let value = checkParser(text)
    checkRequest(text, value)
    if getenv("SANDGLASS_FUZZ_PRINT") != nil { printLine(value) }
    return 0
}

/// Checks that accepted text is UTF-8 and survives writing and parsing again, and that a refusal names its faults.
private func checkParser(_ text: [UInt8]) -> JSONValue? {
    do throws(JSONParseError) {
        let value = try JSONParser.parse(text)
        precondition(UTF8Validation.isValid(text), "the parser accepted text that is not UTF-8")
        let again = written(value)
        let isSame = (try? JSONParser.parse(again)) == value
        precondition(isSame, "writing and parsing changed the value")
        precondition(written(value) == again, "the writer is not deterministic")
        return value
    } catch {
        precondition(!error.faults.isEmpty, "the refusal names no fault")
        for fault in error.faults { checkPointer(fault.pointer) }
        return nil
    }
}

/// Checks that invalid JSON gives status 400, that an invalid run gives 422, and that a valid run respects all maxima.
private func checkRequest(_ text: [UInt8], _ value: JSONValue?) {
    let maxima = RequestLimits()
    do throws(ProblemDocument) {
        let request = try CreateRunDecoder.decode(text, maxima: maxima)
        guard let value else { preconditionFailure("the decoder accepted text that is not JSON") }
        let again = try? CreateRunDecoder.decode(written(value), maxima: maxima)
        precondition(again == request, "writing and decoding changed the run")
        checkRun(request.specification, maxima)
    } catch {
        precondition(error.status == (value == nil ? 400 : 422), "the wrong status")
        precondition(!error.faults.isEmpty, "the refusal names no fault")
        for fault in error.faults { checkPointer(fault.pointer) }
    }
}

/// Returns whether a path stays below the working directory.
private func isContained(_ path: String) -> Bool {
    let parts = path.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
    return !path.utf8.contains(0) && path.utf8.count <= RunFile.longestPath
        && !parts.contains { $0.isEmpty || $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }
}

private func checkRun(_ run: RunSpecification, _ maxima: RequestLimits) {
    precondition(
        (1...maxima.commandElements).contains(run.command.count) && run.command.first != "",
        "the command is empty or too long"
    )
    let texts = run.command + run.environment.flatMap { [$0.key, $0.value] } + [run.workingDirectory]
    precondition(!texts.contains { $0.utf8.contains(0) }, "a string contains a NUL byte")
    precondition(
        !run.environment.keys.contains { $0.isEmpty || $0.utf8.contains(0x3D) },
        "an environment variable has an invalid name"
    )
    precondition(
        !run.labels.keys.contains { $0.isEmpty || $0.utf8.contains(0x3A) },
        "a label has a name that no query can match"
    )
    precondition(run.workingDirectory.utf8.first == 0x2F, "the working directory is not absolute")
    let paths = Set(run.files.map { Array($0.path.utf8) })
    precondition(
        run.files.count <= maxima.files && paths.count == run.files.count,
        "there are too many files, or a path occurs twice"
    )
    for path in run.files.map(\.path) + run.artifacts.map(\.text) {
        precondition(isContained(path), "a path leads out of the working directory")
    }
    // Matching must be fast for any pattern.
    let name = Array(String(repeating: "a", count: 255).unicodeScalars)
    var position = GlobPosition(run.artifacts)
    for _ in 0..<32 { position = position.match(name).below }
    precondition(run.limits.timeout > .zero && run.limits.timeout <= maxima.timeout, "a timeout out of bounds")
    precondition(run.grace >= .zero && run.grace <= maxima.grace, "a grace period out of bounds")
    precondition(run.limits.cpu > .zero && run.limits.cpu <= maxima.cpu, "CPU time out of bounds")
    precondition((1 << 20...maxima.memoryBytes).contains(run.limits.memoryBytes), "memory out of bounds")
    precondition((1...maxima.processes).contains(run.limits.processes), "processes out of bounds")
    precondition((0...maxima.outputBytes).contains(run.limits.outputBytes), "output out of bounds")
    precondition((4096...maxima.diskBytes).contains(run.limits.diskBytes), "disk out of bounds")
    precondition((3...maxima.openFiles).contains(run.limits.openFiles), "files out of bounds")
    precondition(
        run.image == "host" && run.network == .none,
        "the run requests an image or network that this server lacks"
    )
}

/// Checks a JSON pointer: it is empty or begins with a slash, and each tilde is part of an escape (RFC 6901, section 3).
private func checkPointer(_ pointer: JSONPointer) {
    let bytes = Array(pointer.description.utf8)
    precondition(bytes.isEmpty || bytes[0] == 0x2F, "a JSON pointer does not begin with a slash")
    for (index, byte) in bytes.enumerated() where byte == 0x7E {
        precondition(
            index + 1 < bytes.count && (bytes[index + 1] == 0x30 || bytes[index + 1] == 0x31),
            "a JSON pointer contains an unescaped tilde"
        )
    }
}

private func written(_ value: JSONValue) -> [UInt8] {
    var writer = JSONWriter()
    writer.value(value)
    return writer.bytes
}

/// Prints the value, or a hyphen for invalid JSON, on one line for a comparison with another parser.
private func printLine(_ value: JSONValue?) {
    let line = (value.map(written) ?? [0x2D]) + [0x0A]
    _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}
