"""The function of each figure, in the order of the table. A function may measure several figures.
`run` calls it once, and prints the first line of its docstring while it measures."""

from . import blobs, containment, crash_recovery, deadlines, leaks, live, memory, speed, verdicts

REGISTRY = {
    "P1": speed.latency,
    "P2": speed.throughput,
    "P3": speed.compared_with_bubblewrap,
    "P4": speed.reading,
    "P5": speed.drain,
    "P6": memory.growth,
    "P7": deadlines.idle,
    "P8": deadlines.loaded,
    "P9": memory.idle,
    "P11": speed.many_in_flight,
    "B1": blobs.transfer,
    "B2": blobs.transfer,
    "B3": blobs.transfer,
    "L1": live.latency,
    "L2": live.followers,
    "C1": verdicts.contradictions,
    "C2": verdicts.early_kills,
    "C3": leaks.leaks,
    "C4": crash_recovery.violations,
    "C5": containment.escapes,
    "C6": containment.surface,
}
