/// What a run wrote cannot be read any more: it was taken away meanwhile.
struct OutputMissing: Error {}
