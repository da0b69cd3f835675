import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct HostSecretsTests {
    @Test(arguments: [
        "/etc/shadow", "/etc/shadow-", "/etc/gshadow", "/etc/ssl/private", "/etc/ssl/private/ssl-cert-snakeoil.key",
        "/etc/sudoers", "/etc/sudoers.d/admin", "/etc/machine-id", "/var/lib/dbus/machine-id",
        "/etc/ssh/ssh_host_rsa_key",
        "/etc/NetworkManager/system-connections/home", "/etc/krb5.keytab", "/etc/mysql/debian.cnf", "/etc/hostname",
        "/etc/letsencrypt/live/a/privkey.pem", "/etc/app/server.key", "/etc/app/.ssh/id_rsa", "/var/lib/docker/a",
        "/etc/passwd", "/etc/group", "/var/lib/sandglass/runs",
    ])
    func `a secret is hidden with a reason`(path: String) throws {
        #expect(try #require(HostSecrets.reason(toHide: path)).hasPrefix("it "))
    }

    @Test(arguments: [
        "/etc/ssl/certs", "/etc/ssl/openssl.cnf", "/etc/R", "/etc/php/8.2/cli/php.ini", "/etc/shells",
        "/etc/ssh/ssh_config",
        "/etc/group.d", "/var/lib/ghc", "/etc/java-17-openjdk/security",
    ])
    func `a package file is not hidden`(path: String) {
        #expect(HostSecrets.reason(toHide: path) == nil)
    }

    @Test func `every path of the tables is absolute and has a reason`() {
        for (reason, paths) in HostSecrets.table + PackageFiles.table {
            #expect(!reason.isEmpty && !paths.isEmpty)
            for path in paths { #expect(path.hasPrefix("/etc/") || path.hasPrefix("/var/"), "\(path)") }
        }
        for path in PackageFiles.table.flatMap(\.paths) { #expect(HostSecrets.reason(toHide: path) == nil, "\(path)") }
    }

    @Test func `a private key is known by its text`() {
        #expect(HostSecrets.isPrivateKey(Array("x\n-----BEGIN RSA PRIVATE KEY-----\n".utf8)))
        #expect(HostSecrets.isPrivateKey(Array("-----BEGIN PRIVATE KEY-----".utf8)))
        #expect(!HostSecrets.isPrivateKey(Array("-----BEGIN CERTIFICATE-----".utf8)))
        #expect(!HostSecrets.isPrivateKey([]))
    }

    @Test func `keys that every user may read are left out of a copy and found in a directory`() throws {
        let directory = try ScratchDirectory()
        try directory.makeFile("ca.pem", "-----BEGIN CERTIFICATE-----\n")
        #expect(HostSecrets.first(in: directory.path) == nil)
        try directory.makeFile("both.pem", "-----BEGIN CERTIFICATE-----\n-----BEGIN EC PRIVATE KEY-----\n")
        #expect(HostSecrets.first(in: directory.path) == directory.path + "/both.pem")
        try directory.makeFile("server.key", "key")
        let copy = DirectoryCopy(of: directory.path, at: "/etc/x")?.entries
        #expect(copy?.map(\.path) == ["/etc/x", "/etc/x/ca.pem"])
    }

    @Test(arguments: [
        ("/etc/shadow", "password hashes"), ("/etc/ssl/private", "private keys"), ("/etc/machine-id", "identifies"),
        ("/etc", "cover"), ("/var", "cover"), ("/var/tmp", "cover"), ("/etc/hostname", "identifies"),
        ("/etc/no-such-file", "no such"),
    ])
    func `a secret cannot be exposed`(path: String, reason: String) {
        let error = #expect(throws: ViewError.self) { try ExposedPath.all([path]) }
        #expect(error?.reason.contains(reason) == true, "\(error?.reason ?? "")")
    }

    @Test func `files and directories below etc can be exposed`() throws {
        let exposed = try ExposedPath.all(["/etc/hosts", "/etc/default"])
        #expect(exposed.map { $0.entries.first?.path } == ["/etc/hosts", "/etc/default"])
    }
}
