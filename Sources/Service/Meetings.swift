internal import Reactor

/// Where those meet who want to know the same thing: the first one finds out, the others are told.
struct Meetings<Subject: Hashable, Answer> {
    typealias Listener = @Reactor (Answer) -> Void

    private var listeners: [Subject: [Listener]] = [:]

    /// Begins to listen if somebody is finding it out already.
    ///
    /// - Returns: whether nobody is: the caller has to, and to tell those whom ``end(_:)`` gives.
    mutating func isFirst(_ subject: Subject, otherwise listener: @escaping Listener) -> Bool {
        guard listeners[subject]?.append(listener) == nil else { return false }
        listeners[subject] = []
        return true
    }

    /// It has been found out; these want to know.
    mutating func end(_ subject: Subject) -> [Listener] { listeners.removeValue(forKey: subject) ?? [] }
}
