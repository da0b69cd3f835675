"""Which function takes which figure, in the order of the table. The first line of its
documentation is what the user reads while it is being taken."""

from . import blobs, containment, deadlines, leftovers, live, memory, promises, speed, verdicts

TAKEN = {
    "P1": speed.latency,
    "P2": speed.throughput,
    "P3": speed.beside_bubblewrap,
    "P4": speed.reading,
    "P5": speed.drain,
    "P6": memory.growth,
    "P7": deadlines.idle,
    "P8": deadlines.loaded,
    "P9": memory.idle,
    "P11": speed.many_in_flight,
    "B1": blobs.transfer,
    "L1": live.latency,
    "L2": live.followers,
    "C1": verdicts.contradictions,
    "C2": verdicts.early_kills,
    "C3": leftovers.left_behind,
    "C4": promises.broken,
    "C5": containment.reached,
    "C6": containment.surface,
}
