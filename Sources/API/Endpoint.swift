internal import HTTPServer
internal import Identity
internal import Runs

/// What a route leads to.
enum Endpoint {
    case createRun
    case listRuns
    case readRun
    case cancelRun
    case deleteRun
    case readOutput(OutputStream)
    case health
    case readiness
    case capabilities
    case description
    case metrics

    /// The whole API is one table.
    static let routes: [Route<Endpoint>] = [
        Route("POST", "/runs", .createRun),
        Route("GET", "/runs", .listRuns),
        Route("GET", "/runs/{id}", .readRun),
        Route("DELETE", "/runs/{id}", .deleteRun),
        Route("POST", "/runs/{id}/cancel", .cancelRun),
        Route("GET", "/runs/{id}/stdout", .readOutput(.standardOutput)),
        Route("GET", "/runs/{id}/stderr", .readOutput(.standardError)),
        Route("GET", "/healthz", .health),
        Route("GET", "/readyz", .readiness),
        Route("GET", "/capabilities", .capabilities),
        Route("GET", "/openapi.json", .description),
        Route("GET", "/metrics", .metrics),
    ]

    /// The query items that it understands.
    ///
    /// Others are refused: a misspelt `wait` would be ignored otherwise.
    var queryNames: Set<String> {
        switch self {
        case .createRun, .readRun: ["wait"]
        case .listRuns: ["state", "outcome", "label", "limit", "cursor"]
        case .cancelRun, .deleteRun, .readOutput, .health, .readiness, .capabilities, .description, .metrics: []
        }
    }

    /// Who may use it; an admin may use all.
    var access: Access {
        switch self {
        case .createRun, .cancelRun, .deleteRun: .role(.run)
        case .listRuns, .readRun, .readOutput: .role(.read)
        case .capabilities, .description: .anybodyKnown
        case .metrics: .role(.admin)
        case .health, .readiness: .anybody
        }
    }

    /// Who may use a route.
    enum Access {
        /// Whoever asks.
        case anybody
        /// Whoever has a token, where there are tokens.
        case anybodyKnown
        /// Whoever has this role.
        case role(Role)
    }
}
