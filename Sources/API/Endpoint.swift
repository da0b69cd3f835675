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
    case readEvents
    case readArtifact
    case readArtifacts
    case putBlob
    case readBlob
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
        Route("GET", "/runs/{id}/events", .readEvents),
        Route("GET", "/runs/{id}/artifacts/{path...}", .readArtifact),
        Route("GET", "/runs/{id}/artifacts.tar", .readArtifacts),
        Route("PUT", "/blobs/sha256:{hex}", .putBlob),
        Route("GET", "/blobs/sha256:{hex}", .readBlob),
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
        case .readOutput: ["follow"]
        case .cancelRun, .deleteRun, .readEvents, .health, .readiness, .capabilities, .description, .metrics: []
        case .readArtifact, .readArtifacts, .putBlob, .readBlob: []
        }
    }

    /// Who may use it; an admin may use all.
    var access: Access {
        switch self {
        case .createRun, .cancelRun, .deleteRun, .putBlob: .role(.run)
        case .readBlob: .readerOrRunner
        case .listRuns, .readRun, .readOutput, .readEvents, .readArtifact, .readArtifacts: .role(.read)
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
        /// Whoever may read runs or create them: who uploads what runs need has to know whether it is there.
        case readerOrRunner
    }
}
