/// What is remembered of an answer, to be told when its request is over.
struct GivenAnswer {
    let status: Int
    let bodyBytes: Int
}
