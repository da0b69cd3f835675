import HTTPServer
import Testing

@Suite struct RouterTests {
    private let router = Router([
        Route("GET", "/", "root"),
        Route("GET", "/runs", "list"),
        Route("POST", "/runs", "create"),
        Route("GET", "/runs/{id}", "read"),
        Route("DELETE", "/runs/{id}", "delete"),
        Route("GET", "/runs/search", "search"),
        Route("POST", "/runs/{id}/cancel", "cancel"),
        Route("GET", "/runs/{id}/artifacts/{path...}", "artifact"),
        Route("PUT", "/blobs/sha256:{hex}", "put"),
    ])

    private func match(_ method: String, _ target: String) throws -> RouteMatch<String> {
        switch router.match(try Request(method: method, target: target)) {
        case .matched(let index, let parameters): .matched(router.values[index], parameters: parameters)
        case .notFound: .notFound
        case .methodNotAllowed(let allow): .methodNotAllowed(allow: allow)
        }
    }

    @Test func `a literal path is found`() throws {
        #expect(try match("GET", "/") == .matched("root", parameters: [:]))
        #expect(try match("POST", "/runs?wait=1") == .matched("create", parameters: [:]))
    }

    @Test func `a parameter takes one segment, decoded`() throws {
        #expect(try match("GET", "/runs/a%2Fb") == .matched("read", parameters: ["id": "a/b"]))
        #expect(try match("POST", "/runs/7/cancel") == .matched("cancel", parameters: ["id": "7"]))
    }

    @Test func `a parameter is not empty`() throws {
        #expect(try match("GET", "/runs/") == .notFound)
    }

    @Test func `a parameter may follow a prefix`() throws {
        #expect(try match("PUT", "/blobs/sha256:ab") == .matched("put", parameters: ["hex": "ab"]))
        #expect(try match("PUT", "/blobs/md5:ab") == .notFound)
    }

    @Test func `a last parameter takes the rest of the path`() throws {
        let expected = RouteMatch.matched("artifact", parameters: ["id": "7", "path": "out/a b"])
        #expect(try match("GET", "/runs/7/artifacts/out/a%20b") == expected)
        #expect(try match("GET", "/runs/7/artifacts/") == .notFound)
    }

    @Test func `the more literal pattern wins, at any position in the table`() throws {
        #expect(try match("GET", "/runs/search") == .matched("search", parameters: [:]))
        #expect(try match("DELETE", "/runs/search") == .matched("delete", parameters: ["id": "search"]))
    }

    @Test func `HEAD uses the route of GET`() throws {
        #expect(try match("HEAD", "/runs/7") == .matched("read", parameters: ["id": "7"]))
    }

    @Test func `another method gets the list of allowed methods`() throws {
        #expect(try match("PATCH", "/runs") == .methodNotAllowed(allow: ["GET", "HEAD", "OPTIONS", "POST"]))
        #expect(try match("HEAD", "/runs/7/cancel") == .methodNotAllowed(allow: ["OPTIONS", "POST"]))
        #expect(try match("OPTIONS", "/runs/7") == .methodNotAllowed(allow: ["DELETE", "GET", "HEAD", "OPTIONS"]))
        #expect(try match("get", "/") == .methodNotAllowed(allow: ["GET", "HEAD", "OPTIONS"]))
    }

    @Test func `an unknown path is not found`() throws {
        #expect(try match("GET", "/nothing") == .notFound)
        #expect(try match("GET", "/runs/7/unknown") == .notFound)
        #expect(try match("GET", "//runs") == .notFound)
    }
}
