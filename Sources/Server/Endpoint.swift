internal import HTTPServer
internal import Identity
internal import RunModel

/// The purpose of a request, selected by its method and path.
enum Endpoint {
    case createRun
    case listRuns
    case readRun
    case cancelRun
    case rerunRun
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

    /// The whole API as one table.
    static let routes: [Route<Endpoint>] = [
        Route("POST", "/runs", .createRun),
        Route("GET", "/runs", .listRuns),
        Route("GET", "/runs/{id}", .readRun),
        Route("DELETE", "/runs/{id}", .deleteRun),
        Route("POST", "/runs/{id}/cancel", .cancelRun),
        Route("POST", "/runs/{id}/rerun", .rerunRun),
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

    /// The allowed query parameters.
    ///
    /// Others are rejected. A misspelt `wait` would have no effect otherwise.
    var queryNames: Set<String> {
        switch self {
        case .createRun, .rerunRun, .readRun: ["wait"]
        case .listRuns:
            ["state", "outcome", "label", "principal", "command", "since", "until", "limit", "cursor"]
        case .readOutput: ["follow"]
        case .cancelRun, .deleteRun, .readEvents, .health, .readiness, .capabilities, .description, .metrics: []
        case .readArtifact, .readArtifacts, .putBlob, .readBlob: []
        }
    }

    /// True if the endpoint reads the body of its requests.
    var hasBody: Bool {
        switch self {
        case .createRun, .putBlob: true
        default: false
        }
    }

    /// True if the endpoint creates a run.
    var createsRun: Bool {
        switch self {
        case .createRun, .rerunRun: true
        default: false
        }
    }

    /// The principals that may use the endpoint.
    ///
    /// An admin may use all of them.
    var access: Access {
        switch self {
        case .createRun, .rerunRun, .cancelRun, .deleteRun, .putBlob: .role(.run)
        case .readBlob: .readOrRun
        case .listRuns, .readRun, .readOutput, .readEvents, .readArtifact, .readArtifacts: .role(.read)
        case .capabilities, .description: .authenticated
        case .metrics: .role(.admin)
        case .health, .readiness: .public
        }
    }

    /// A requirement on the principal of a request.
    enum Access {
        /// Every client, with or without a token.
        case `public`
        /// Every principal, on a server that has principals.
        case authenticated
        /// Every principal with this role.
        case role(Role)
        /// Every principal that may read or create runs. A principal that uploads input must be able to check for it.
        case readOrRun
    }
}
