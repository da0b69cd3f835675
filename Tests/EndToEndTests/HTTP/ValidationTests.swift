import TestSupport
import Testing

/// Invalid bodies of `POST /runs`, which are refused with all their faults.
struct ValidationTests {
    private func refuse(
        _ server: ServerProcess,
        _ json: String,
        _ status: Int,
        _ pointers: [String]? = nil,
        sourceLocation: SourceLocation = #_sourceLocation
    ) throws {
        let response = try server.post(json)
        #expect(response.status == status, "\(json): \(response.text)", sourceLocation: sourceLocation)
        #expect(response.headers["content-type"] == "application/problem+json", sourceLocation: sourceLocation)
        let problem = try response.problem()
        #expect(problem.status == status, sourceLocation: sourceLocation)
        #expect(
            !problem.title.isEmpty && !problem.detail.isEmpty && !problem.type.isEmpty,
            sourceLocation: sourceLocation
        )
        if let pointers { #expect(problem.pointers == pointers, "\(json)", sourceLocation: sourceLocation) }
    }

    @Test func `a command must name a program`() throws {
        try withServer { server in
            try refuse(server, #"{}"#, 422, ["/command"])
            try refuse(server, #"{"command":[]}"#, 422, ["/command"])
            try refuse(server, #"{"command":[""]}"#, 422, ["/command/0"])
            try refuse(server, #"{"command":"ls"}"#, 422, ["/command"])
            try refuse(server, #"{"command":null}"#, 422, ["/command"])
            try refuse(server, #"{"command":["ls",1,null]}"#, 422, ["/command/1", "/command/2"])
            try refuse(server, "[]", 422)
            try refuse(server, "7", 422)
            let arguments = Array(repeating: "\"x\"", count: 1024).joined(separator: ",")
            try refuse(server, "{\"command\":[\"echo\",\(arguments)]}", 422, ["/command"])
        }
    }

    @Test func `an argument may be empty`() throws {
        try withServer { server in
            try #expect(server.run(["printf", "[%s]", "", "a", ""]).stdout.text == "[][a][]")
        }
    }

    @Test func `NUL is refused where the kernel would end a string`() throws {
        try withServer { server in
            try refuse(server, #"{"command":["echo\u0000"]}"#, 422, ["/command/0"])
            try refuse(server, #"{"command":["echo","\u0000"]}"#, 422, ["/command/1"])
            try refuse(server, #"{"command":["true"],"env":{"A":"\u0000"}}"#, 422, ["/env/A"])
            try refuse(server, #"{"command":["true"],"env":{"A\u0000B":"c"}}"#, 422)
            try refuse(server, #"{"command":["true"],"workingDirectory":"/b\u0000ox"}"#, 422, ["/workingDirectory"])
            try #expect(server.run(["cat"], ["stdin": "a\0b"]).stdout.text == "a\0b")
        }
    }

    @Test func `a timeout must be a number of seconds above zero`() throws {
        try withServer { server in
            for value in [
                "0", "-1", "1e400", "\"1\"", "null", "1e308", "0.0", "-0", "true", "[1]", "{}", "3601", "-1e400",
            ] {
                try refuse(server, "{\"command\":[\"true\"],\"timeoutSeconds\":\(value)}", 422, ["/timeoutSeconds"])
            }
            for value in ["NaN", "Infinity", "-Infinity", "+1", "01", ".5", "1.", "0x1"] {
                try refuse(server, "{\"command\":[\"true\"],\"timeoutSeconds\":\(value)}", 400)
            }
        }
    }

    @Test func `a timeout within the bounds is accepted`() throws {
        try withServer { server in
            for value in ["0.000001", "1e-300", "3600", "1e0", "0.5e1"] {
                let body = "{\"command\":[\"true\"],\"timeoutSeconds\":\(value)}"
                let response = try server.post(body, query: "?wait=60")
                #expect(response.status == 201, "\(value)")
                let run = try response.run()
                #expect(run.end == .exited(0) || run.end == .timedOut, "\(value)")
            }
        }
    }

    @Test func `a grace period must not be negative`() throws {
        try withServer { server in
            for value in ["-1", "-0.001", "\"1\"", "null", "61", "1e400"] {
                try refuse(server, "{\"command\":[\"true\"],\"graceSeconds\":\(value)}", 422, ["/graceSeconds"])
            }
            try #expect(server.run(["true"], ["graceSeconds": 0]).end == .exited(0))
        }
    }

    @Test func `an output limit must be a whole number of bytes`() throws {
        try withServer { server in
            for value in ["-1", "1.5", "\"1\"", "null", "67108865", "1e30"] {
                let body = "{\"command\":[\"true\"],\"limits\":{\"outputBytes\":\(value)}}"
                try refuse(server, body, 422, ["/limits/outputBytes"])
            }
            try refuse(server, #"{"command":["true"],"onOutputLimit":"Kill"}"#, 422, ["/onOutputLimit"])
        }
    }

    @Test func `environment, working directory and input must have their types`() throws {
        try withServer { server in
            try refuse(server, #"{"command":["true"],"env":["A=b"]}"#, 422, ["/env"])
            try refuse(server, #"{"command":["true"],"env":{"A":1}}"#, 422, ["/env/A"])
            try refuse(server, #"{"command":["true"],"env":{"A=B":"c"}}"#, 422, ["/env/A=B"])
            try refuse(server, #"{"command":["true"],"env":{"":"c"}}"#, 422, ["/env/"])
            try refuse(server, #"{"command":["true"],"workingDirectory":"box"}"#, 422, ["/workingDirectory"])
            try refuse(server, #"{"command":["true"],"workingDirectory":""}"#, 422, ["/workingDirectory"])
            try refuse(server, #"{"command":["true"],"stdin":7}"#, 422, ["/stdin"])
            try refuse(server, #"{"command":["true"],"stdin":{"base64":"a b="}}"#, 422, ["/stdin/base64"])
            try refuse(server, #"{"command":["true"],"stdin":{"base64":"YQ"}}"#, 422, ["/stdin/base64"])
            try refuse(server, #"{"command":["true"],"stdin":{"blob":"sha256:00"}}"#, 422, ["/stdin/blob"])
        }
    }

    @Test func `unknown members are refused`() throws {
        try withServer { server in
            try refuse(server, #"{"command":["true"],"timeout":1}"#, 422, ["/timeout"])
            try refuse(server, #"{"command":["true"],"a/b~c":1}"#, 422, ["/a~1b~0c"])
            try refuse(server, #"{"command":["true"],"limits":{"OutputBytes":1}}"#, 422, ["/limits/OutputBytes"])
        }
    }

    @Test func `invalid artifact patterns are refused`() throws {
        try withServer { server in
            try refuse(server, #"{"command":["true"],"artifacts":{}}"#, 422, ["/artifacts"])
            try refuse(
                server,
                #"{"command":["true"],"artifacts":["ok","/etc/passwd","../x","a/../b","","a//b","[a",7,"a\u0000"]}"#,
                422,
                (1...8).map { "/artifacts/\($0)" }
            )
        }
    }

    @Test func `labels that no query could match are refused`() throws {
        try withServer { server in
            let long = String(repeating: "x", count: 1025)
            try refuse(server, #"{"command":["true"],"labels":[]}"#, 422, ["/labels"])
            try refuse(server, #"{"command":["true"],"labels":{"a":1}}"#, 422, ["/labels/a"])
            try refuse(server, #"{"command":["true"],"labels":{"":"x"}}"#, 422, ["/labels/"])
            try refuse(server, #"{"command":["true"],"labels":{"a:b":"x"}}"#, 422, ["/labels/a:b"])
            try refuse(server, "{\"command\":[\"true\"],\"labels\":{\"a\":\"\(long)\"}}", 422, ["/labels/a"])
            let many = (0..<65).map { "\"\($0)\":\"\"" }.joined(separator: ",")
            try refuse(server, "{\"command\":[\"true\"],\"labels\":{\(many)}}", 422, ["/labels"])
            try #expect(
                server.run(["true"], ["labels": ["branch": "main", "ü": ""]]).labels == ["branch": "main", "ü": ""]
            )
        }
    }

    @Test func `all faults are reported at once`() throws {
        try withServer { server in
            let body = """
                {"command":["", 1, "\\u0000"], "timeoutSeconds":0, "graceSeconds":-1, "env":{"A":2}, "x":1,
                "workingDirectory":"box", "limits":{"outputBytes":-1, "memoryBytes":1}, "stdin":[], "onOutputLimit":1}
                """
            let pointers = [
                "/command/0", "/command/1", "/command/2", "/env/A", "/graceSeconds", "/limits/memoryBytes",
                "/limits/outputBytes", "/onOutputLimit", "/stdin", "/timeoutSeconds", "/workingDirectory", "/x",
            ]
            let problem = try server.post(body).problem()
            #expect(problem.status == 422)
            #expect(problem.pointers.sorted() == pointers)
        }
    }

    @Test func `a body that is not JSON gets 400`() throws {
        try withServer { server in
            for body in [
                "", "{", "{\"command\":[\"true\"],}", "{'command':['true']}", "{\"command\":[\"true\"]} x",
                "\u{FEFF}{}",
            ] {
                try refuse(server, body, 400)
            }
            let utf16: [UInt8] = [0xFF, 0xFE, 0x7B, 0, 0x7D, 0]
            try #expect(server.post(utf16).status == 400)
            try #expect(server.post(Array("{\"command\":[\"a".utf8) + [0xFF] + Array("\"]}".utf8)).status == 400)
        }
    }

    @Test func `duplicate members get 400 at every depth`() throws {
        try withServer { server in
            try refuse(server, #"{"command":["true"],"command":["false"]}"#, 400, ["/command"])
            try refuse(server, #"{"command":["true"],"env":{"A":"1","\u0041":"2"}}"#, 400, ["/env/A"])
            let limits = #"{"command":["true"],"limits":{"outputBytes":1,"outputBytes":1}}"#
            try refuse(server, limits, 400, ["/limits/outputBytes"])
        }
    }
}
