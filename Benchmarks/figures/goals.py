"""The goals: a limit for each figure and stage. `now` is the present requirement, `final` the aim.
A row without a limit for a stage is shown there but cannot fail."""

from dataclasses import dataclass

STAGES = ("now", "final")


@dataclass(frozen=True)
class Goal:
    title: str
    unit: str                  # unit of the compared value; "" for a ratio or a count
    now: float | None
    final: float | None
    at_most: bool = True       # False: the limit is a minimum

    def text(self, stage):
        limit = getattr(self, stage)
        if limit is None:
            return "–"
        return f"{'≤' if self.at_most else '≥'} {limit:g}{' ' + self.unit if self.unit else ''}"

    def verdict(self, stage, value):
        limit = getattr(self, stage)
        if limit is None:
            return "–"
        return "met" if (value <= limit if self.at_most else value >= limit) else "missed"


FIGURES = {
    "P1": Goal("latency of one run ÷ baseline, p50", "", 1.0, 1.0),
    "P2": Goal("runs/s, 8 in flight ÷ best baseline", "", 0.9, 1.0, at_most=False),
    "P3": Goal("runs/s, 8 in flight ÷ bubblewrap", "", 2.7, 4, at_most=False),
    "P4": Goal("GET requests/s ÷ plain C server", "", 0.8, 0.9, at_most=False),
    "P5": Goal("output drain of 1 GiB ÷ head | cat", "", 1.5, 1.5, at_most=False),
    "P6": Goal("memory growth, 32 large outputs", "MiB", 64, 64),
    "P7 p50": Goal("overshoot of 0.5 s limit, idle, p50", "ms", 1.5, 1.5),
    "P7 p99": Goal("overshoot of 0.5 s limit, idle, p99", "ms", 5, 5),
    "P8": Goal("overshoot under load ÷ timeout(1), p99", "", None, 1.5),
    "P9 memory": Goal("memory when idle", "MiB", 24, 24),
    "P9 start": Goal("time from exec to ready", "ms", 100, 100),
    "P11": Goal("runs/s, 64 in flight ÷ 8 in flight", "", 0.9, 0.9, at_most=False),
    "B1": Goal("upload of 1 GiB blob ÷ nginx", "", 0.8, 0.8, at_most=False),
    "B2": Goal("download of 1 GiB blob ÷ nginx", "", 0.8, 0.8, at_most=False),
    "B3": Goal("memory growth, 1 GiB blobs", "MiB", 16, 16),
    "L1": Goal("delay from write to follower, idle, p99", "ms", 5, 5),
    "L2": Goal("followers with missing bytes", "", 0, 0),
    "C1": Goal("verdicts that contradict the command", "", 0, 0),
    "C2": Goal("runs killed before their limit", "", 0, 0),
    "C3": Goal("leaked objects", "", 0, 0),
    "C4": Goal("durability violations after kill -9", "", 0, 0),
    "C5": Goal("containment probes that succeed", "", 0, 0),
    "C6": Goal("reachable kernel interfaces", "", 15, 15),
}
