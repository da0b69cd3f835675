"""The goals: a limit for each figure at each stage. `now` is what holds today; `final` is the
aim. A row without a limit at a stage is shown there and decides nothing."""

from dataclasses import dataclass

STAGES = ("now", "final")


@dataclass(frozen=True)
class Goal:
    what: str
    unit: str                  # of the value that is compared; "" for a ratio or a count
    now: float | None
    final: float | None
    at_most: bool = True       # False: at least

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
    "P1": Goal("latency of one run ÷ floor, p50", "", 1.0, 1.0),
    "P2": Goal("runs/s, 8 in flight ÷ floor's best", "", 0.9, 1.0, at_most=False),
    "P3": Goal("runs/s, 8 in flight ÷ bubblewrap's", "", 2.7, 4, at_most=False),
    "P4": Goal("GET of a run ÷ plain C server", "", 0.8, 0.9, at_most=False),
    "P5": Goal("drain of 1 GiB ÷ head | cat", "", 1.5, 1.5, at_most=False),
    "P6": Goal("memory growth, 32 large outputs", "MiB", 64, 64),
    "P7 p50": Goal("overshoot of 0.5 s, idle, p50", "ms", 1.5, 1.5),
    "P7 p99": Goal("overshoot of 0.5 s, idle, p99", "ms", 5, 5),
    "P8": Goal("overshoot under load ÷ timeout, p99", "", None, 1.5),
    "P9 memory": Goal("memory, idle", "MiB", 24, 24),
    "P9 start": Goal("start to ready", "ms", 100, 100),
    "P11": Goal("runs/s, 64 in flight ÷ 8 in flight", "", 0.9, 0.9, at_most=False),
    "B1": Goal("blob of 1 GiB in ÷ curl to nginx", "", 0.8, 0.8, at_most=False),
    "B2": Goal("blob of 1 GiB out ÷ curl from nginx", "", 0.8, 0.8, at_most=False),
    "B3": Goal("memory growth, blobs of 1 GiB", "MiB", 16, 16),
    "L1": Goal("write to a follower's read, idle, p99", "ms", 5, 5),
    "L2": Goal("followers that lost a byte", "", 0, 0),
    "C1": Goal("verdicts against the command's end", "", 0, 0),
    "C2": Goal("killed before the limit", "", 0, 0),
    "C3": Goal("left behind", "", 0, 0),
    "C4": Goal("promises broken by kill -9", "", 0, 0),
    "C5": Goal("ways out that are open", "", 0, 0),
    "C6": Goal("parts of the kernel that answer", "", 15, 15),
}
