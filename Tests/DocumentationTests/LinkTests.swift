import Foundation
import Testing

/// Tests of the links in the documents.
struct LinkTests {
    @Test(arguments: Document.all)
    func `every relative link and anchor resolves`(path: String) throws {
        let document = try Document(path: path)
        let directory = Document.root.appending(path: path).deletingLastPathComponent()
        for link in document.links where link.target.firstMatch(of: /^[a-z]+:/) == nil {
            let parts = link.target.split(separator: "#", maxSplits: 1, omittingEmptySubsequences: false)
            let target = String(parts[0])
            var anchors = document.anchors
            if !target.isEmpty {
                let file = directory.appending(path: target).standardized
                #expect(
                    FileManager.default.fileExists(atPath: file.path()),
                    "\(path):\(link.line): there is no \(target)"
                )
                guard target.hasSuffix(".md") else { continue }
                anchors = try Document(path: String(file.path().dropFirst(Document.root.path().count))).anchors
            }
            if parts.count > 1 {
                #expect(
                    anchors.contains(String(parts[1])),
                    "\(path):\(link.line): \(target) has no heading #\(parts[1])"
                )
            }
        }
    }

    @Test func `every page can be reached from the README`() throws {
        var reached: Set = ["README.md"]
        var open = ["README.md"]
        while let path = open.popLast() {
            let directory = Document.root.appending(path: path).deletingLastPathComponent()
            for link in try Document(path: path).links {
                let target = link.target.prefix { $0 != "#" }
                guard target.hasSuffix(".md"), !target.contains(":") else { continue }
                let file = directory.appending(path: String(target)).standardized.path()
                let page = String(file.dropFirst(Document.root.path().count))
                if reached.insert(page).inserted { open.append(page) }
            }
        }
        #expect(Set(Document.all).subtracting(reached).isEmpty)
    }

    @Test func `the README has at most 150 lines`() throws {
        #expect(try Document(path: "README.md").lines.count <= 150)
    }
}
