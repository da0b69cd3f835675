import System
import Testing

@testable import Identity

@Suite struct TokenTableTests {
    @Test func `a token identifies its principal and no other`() {
        let tokens = (0..<5).map { _ in Token() }
        let table = TokenTable(
            tokens.enumerated().map { index, token in
                TokenFile.Entry(Principal(name: "p\(index)", roles: [.run]), digests: [token.digest])
            }
        )
        for (index, token) in tokens.enumerated() {
            #expect(table.principal(of: Array(token.text.utf8))?.name == "p\(index)")
        }
        #expect(table.principal(of: Array(Token().text.utf8)) == nil)
        #expect(table.principal(of: []) == nil)
        #expect(table.principal(of: Array(tokens[0].text.dropLast().utf8)) == nil)
        #expect(table.principal(of: tokens[0].digest.bytes) == nil)
        #expect(table.principals.map(\.name) == ["p0", "p1", "p2", "p3", "p4"])
    }

    @Test func `a principal may have several tokens`() {
        let (old, new) = (Token(), Token())
        let principal = Principal(name: "ci", roles: [.read])
        let table = TokenTable([TokenFile.Entry(principal, digests: [old.digest, new.digest])])
        #expect(table.principal(of: Array(old.text.utf8)) == principal)
        #expect(table.principal(of: Array(new.text.utf8)) == principal)
        #expect(table.principals == [principal])
    }

    @Test func `tokens are unique and have 256 random bits`() {
        let tokens = Set((0..<1000).map { _ in Token().text })
        #expect(tokens.count == 1000)
        #expect(tokens.allSatisfy { $0.hasPrefix("sandglass_") && $0.count == 10 + 64 })
    }

    @Test func `an admin has every role and other principals have their own`() {
        for role in Role.allCases {
            #expect(Principal(name: "a", roles: [.admin]).may(role))
            #expect(Principal(name: "r", roles: [.run]).may(role) == (role == .run))
        }
        #expect(!Principal(name: "n", roles: []).may(.read))
    }
}
