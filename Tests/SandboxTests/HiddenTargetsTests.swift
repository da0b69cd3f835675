import Glibc
import TestSupport
import Testing

@testable import Sandbox

@Suite struct HiddenTargetsTests {
    @Test func `links with a target outside the view are found, and no others`() throws {
        let directory = try ScratchDirectory()
        let root = directory.path + "/usr"
        for path in ["/usr", "/usr/lib", "/usr/lib/deep", "/etc", "/etc/shown", "/opt", "/opt/tool"] {
            #expect(mkdir(directory.path + path, 0o755) == 0)
        }
        for path in ["etc/file", "etc/shown/file", "etc/copied", "etc/id_rsa", "usr/own"] {
            try directory.makeFile(path, "x")
        }
        let etc = directory.path + "/etc"
        let links = [
            ("hidden", etc + "/file"), ("relative", "../../etc/file"), ("deep/directory", directory.path + "/opt/tool"),
            ("shown", etc + "/shown/file"), ("copied", etc + "/copied"), ("own", "../own"),
            ("broken", etc + "/missing"),
            ("device", "/dev/null"), ("secret", etc + "/id_rsa"), ("process", "/proc/self/exe"),
        ]
        for (name, target) in links { #expect(symlink(target, root + "/lib/" + name) == 0) }
        let entries: [SandboxEntry] = [
            .bind(host: root, at: root), .bind(host: etc + "/shown", at: etc + "/shown"),
            .file(etc + "/copied", contents: []),
        ]
        #expect(
            HiddenTargets.find(below: root, shown: entries, own: ["/dev", "/proc"]) == [
                HiddenTarget(link: root + "/lib/deep/directory", target: directory.path + "/opt/tool"),
                HiddenTarget(link: root + "/lib/hidden", target: etc + "/file"),
                HiddenTarget(link: root + "/lib/relative", target: etc + "/file"),
            ]
        )
    }
}
