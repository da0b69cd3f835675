internal import Glibc

/// What libFuzzer calls with each input: a body of `POST /runs` (`Tests/fuzz/json` builds and runs it).
///
/// A property that does not hold ends the process, and libFuzzer keeps the input.
@_cdecl("LLVMFuzzerTestOneInput")
public func fuzzRunRequest(_ start: UnsafePointer<UInt8>?, _ count: Int) -> CInt {
    // SAFETY: libFuzzer hands over so many bytes, which are read here and now.
    let text = Array(UnsafeBufferPointer(start: start, count: count))
    let value = checkParser(text)
    checkRequest(text, value)
    if getenv("SANDGLASS_FUZZ_TELL") != nil { tell(value) }
    return 0
}

/// What is accepted is UTF-8, and is the same value when it is written and read again; what is refused is told why.
private func checkParser(_ text: [UInt8]) -> JSONValue? {
    do throws(JSONParseError) {
        let value = try JSONParser.parse(text)
        precondition(UTF8Validation.isValid(text), "accepted, and not UTF-8")
        let again = written(value)
        let isSame = (try? JSONParser.parse(again)) == value
        precondition(isSame, "not the same when it was written")
        precondition(written(value) == again, "written in two ways")
        return value
    } catch {
        precondition(!error.faults.isEmpty, "refused without a reason")
        for fault in error.faults { checkPointer(fault.pointer) }
        return nil
    }
}

/// A text that is no JSON is a 400, JSON that is no run a 422, and a run is within the maxima and fit for the kernel.
private func checkRequest(_ text: [UInt8], _ value: JSONValue?) {
    let maxima = RequestMaxima()
    do throws(Problem) {
        let order = try RunRequest.decode(text, maxima: maxima)
        guard let value else { preconditionFailure("a run that is no JSON") }
        let again = try? RunRequest.decode(written(value), maxima: maxima)
        precondition(again == order, "another run when it was written again")
        checkRun(order.specification, maxima)
    } catch {
        precondition(error.status == (value == nil ? 400 : 422), "the wrong status")
        precondition(!error.faults.isEmpty, "refused without a reason")
        for fault in error.faults { checkPointer(fault.pointer) }
    }
}

private func staysBelow(_ path: String) -> Bool {
    let parts = path.utf8.split(separator: 0x2F, omittingEmptySubsequences: false)
    return !path.utf8.contains(0) && path.utf8.count <= RunFile.longestPath
        && !parts.contains { $0.isEmpty || $0.elementsEqual(".".utf8) || $0.elementsEqual("..".utf8) }
}

private func checkRun(_ run: RunSpecification, _ maxima: RequestMaxima) {
    precondition((1...maxima.commandElements).contains(run.command.count) && run.command.first != "", "no command")
    let texts = run.command + run.environment.flatMap { [$0.key, $0.value] } + [run.workingDirectory]
    precondition(!texts.contains { $0.utf8.contains(0) }, "a NUL for the kernel")
    precondition(!run.environment.keys.contains { $0.isEmpty || $0.utf8.contains(0x3D) }, "no name of a variable")
    precondition(!run.labels.keys.contains { $0.isEmpty || $0.utf8.contains(0x3A) }, "a label that nobody can ask for")
    precondition(run.workingDirectory.utf8.first == 0x2F, "a path that is not absolute")
    let paths = Set(run.files.map { Array($0.path.utf8) })
    precondition(run.files.count <= maxima.files && paths.count == run.files.count, "too many files, or one twice")
    for path in run.files.map(\.path) + run.artifacts.map(\.text) {
        precondition(staysBelow(path), "a path that leads out")
    }
    // However slow a pattern is made, it is looked at in no time.
    let name = Array(String(repeating: "a", count: 255).unicodeScalars)
    var place = GlobPlace(run.artifacts)
    for _ in 0..<32 { place = place.match(name).below }
    precondition(run.limits.timeout > .zero && run.limits.timeout <= maxima.timeout, "a timeout out of bounds")
    precondition(run.grace >= .zero && run.grace <= maxima.grace, "a grace period out of bounds")
    precondition(run.limits.cpu > .zero && run.limits.cpu <= maxima.cpu, "processor time out of bounds")
    precondition((1 << 20...maxima.memoryBytes).contains(run.limits.memoryBytes), "memory out of bounds")
    precondition((1...maxima.processes).contains(run.limits.processes), "processes out of bounds")
    precondition((0...maxima.outputBytes).contains(run.limits.outputBytes), "output out of bounds")
    precondition((4096...maxima.diskBytes).contains(run.limits.diskBytes), "disk out of bounds")
    precondition((3...maxima.openFiles).contains(run.limits.openFiles), "files out of bounds")
    precondition(run.image == "host" && run.network == .none, "what this server does not offer")
}

/// Empty, or a slash first, and no tilde but in an escape (RFC 6901, section 3).
private func checkPointer(_ pointer: JSONPointer) {
    let bytes = Array(pointer.description.utf8)
    precondition(bytes.isEmpty || bytes[0] == 0x2F, "no pointer")
    for (index, byte) in bytes.enumerated() where byte == 0x7E {
        precondition(index + 1 < bytes.count && (bytes[index + 1] == 0x30 || bytes[index + 1] == 0x31), "a bare tilde")
    }
}

private func written(_ value: JSONValue) -> [UInt8] {
    var writer = JSONWriter()
    writer.value(value)
    return writer.bytes
}

/// For a comparison with another parser: the value on a line of its own, or a hyphen.
private func tell(_ value: JSONValue?) {
    let line = (value.map(written) ?? [0x2D]) + [0x0A]
    _ = line.withUnsafeBytes { write(1, $0.baseAddress, $0.count) }
}
