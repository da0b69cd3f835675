internal import HTTPServer
internal import Identity
internal import Runs

/// A request that has been let in: what is asked, by whom, and where the answer goes.
struct Call {
    let exchange: Exchange
    let principal: Principal
    /// What stands in the places of the path's parameters.
    let parameters: RouteParameters

    var request: Request { exchange.request }

    /// The run that the path names, if it can be a run's name.
    var runID: RunID? { parameters["id"].flatMap { RunID($0) } }
}
