public import CoreMetrics
internal import Reactor

/// How a server is watched.
public struct Observation: Sendable {
    /// Who keeps the numbers.
    public var metrics: any MetricsFactory = NOOPMetricsHandler.instance
    /// What `GET /metrics` answers; `nil`: there is no such thing.
    public var scrape: (@Reactor () -> [UInt8])?
    /// Where a line goes for each request; `nil`: nowhere.
    public var accessLog: AccessLog?
    /// Whether a command is told the trace of the request that asked for it, as `TRACEPARENT` and `TRACESTATE`.
    public var passesTrace = false

    /// Nobody watches.
    public init() {}
}
