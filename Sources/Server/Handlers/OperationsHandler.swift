internal import HTTPServer
internal import Reactor
package import RunAPI
package import Sandbox
internal import Service

/// The handler of `/healthz`, `/readyz`, `/capabilities`, `/openapi.json` and `/metrics`.
@ReactorActor
final class OperationsHandler {
    private static let ok = Array("{\"status\":\"ok\"}\n".utf8)

    private let service: RunService
    private let observer: RequestObserver
    private let document: CapabilitiesDocument
    private let publicAddress: PublicAddress
    /// The OpenAPI document with the URL of the server in it.
    ///
    /// It is rendered at the first request, because most servers never get one, and when the URL differs from that of
    /// the request before.
    private var description: (base: String, document: PreparedDocument)?

    init(
        _ service: RunService,
        _ observer: RequestObserver,
        _ document: CapabilitiesDocument,
        _ publicAddress: PublicAddress
    ) {
        (self.service, self.observer, self.document) = (service, observer, document)
        self.publicAddress = publicAddress
    }

    func health(_ request: AuthenticatedRequest) -> Response { .json(200, Self.ok, unless: request.http) }

    func readiness(_ request: AuthenticatedRequest) async throws(Problem) -> Reply.Content {
        if let problem = Problem(await service.checkReadiness()) { throw problem }
        return .response(health(request))
    }

    func capabilities(_ request: AuthenticatedRequest) -> Response {
        .json(200, document.render(), unless: request.http)
    }

    func describe(_ request: AuthenticatedRequest) {
        let base = publicAddress.base(of: request.exchange)
        if let description, description.base == base { return description.document.send(to: request) }
        let prepared = PreparedDocument(OpenAPIDocument(document, at: base).render())
        description = (base, prepared)
        prepared.send(to: request)
    }

    func metrics() throws(Problem) -> Response { try observer.metricsResponse() }
}

/// A JSON document that is rendered once and sent repeatedly without a copy.
private struct PreparedDocument {
    private let tag: EntityTag
    private let response: Response
    private let prepared: PreparedResponse?

    /// - Parameter json: the document in UTF-8.
    init(_ json: [UInt8]) {
        tag = EntityTag(of: json)
        response = .json(200, json)
        prepared = PreparedResponse(response)
    }

    /// Sends the document, or a 304 if the client already has it (RFC 9110, section 13.1.2).
    @ReactorActor
    func send(to request: AuthenticatedRequest) {
        if tag.isKnown(to: request.http) {
            request.reply.send(Response(status: 304, headers: [tag.header]))
        } else if let prepared, request.exchange.headers.isEmpty {
            request.reply.send(prepared)
        } else {
            request.reply.send(response)
        }
    }
}

extension Capabilities {
    /// Creates the capabilities of a server on a host.
    ///
    /// - Parameters:
    ///   - version: the version of the service.
    ///   - report: the report on the host.
    ///   - images: the names of the root file systems from which a run may choose.
    package init(version: String, report: HostReport, images: [String]) {
        let (host, support) = (report.host, report.support)
        let hasLandlock = support?.protections.contains(.landlock) ?? false
        let cgroups = support.flatMap { support in
            support.cgroups.version.map { version in
                ControlGroups(
                    version: Int(version.rawValue),
                    limits: HostFeature.allCases.filter { support.cgroups.enforces($0) }.map(\.rawValue)
                )
            }
        }
        self.init(
            version: version,
            enforcement: support?.enforcement,
            isolation: Isolation(
                kernel: host.kernel,
                filtersSystemCalls: support?.protections.contains(.systemCallFilter) ?? false,
                landlockABI: hasLandlock ? host.landlockABI : nil,
                cgroups: cgroups,
                hasOwnHostUsers: host.isRoot
            ),
            gaps: report.gaps.map(GapDocument.init),
            images: images
        )
    }
}

extension GapDocument {
    /// Creates the document of a gap.
    package init(_ gap: Gap) {
        self.init(
            features: gap.features.map(\.rawValue),
            problem: gap.problem,
            consequence: gap.consequence,
            remedy: gap.remedy
        )
    }
}
