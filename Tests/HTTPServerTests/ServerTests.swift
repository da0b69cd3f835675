import Testing

/// All tests with sockets: one after the other, since some count this process's descriptors.
@Suite(.serialized) struct ServerTests {}
