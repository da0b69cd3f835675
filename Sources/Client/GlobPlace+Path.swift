internal import Runs

extension GlobPlace {
    /// Whether one of the patterns is one for a file at this path, whose parts are these.
    func leads(to parts: [String]) -> Bool {
        var place = self
        for folder in parts.dropLast() { place = place.match(Array(folder.unicodeScalars)).below }
        return parts.last.map { !place.match(Array($0.unicodeScalars)).globs.isEmpty } ?? false
    }
}
