"""The rows of the result table, and its output."""

import math
from dataclasses import dataclass, field

from .goals import FIGURES, STAGES


@dataclass
class Row:
    name: str                   # a key of FIGURES
    value: float                # value to compare with the goal
    ours: str = ""
    peer: str = ""
    notes: list = field(default_factory=list)
    ratio: bool = True          # True if the value is the ratio of ours to the peer

    def verdict(self, stage):
        return FIGURES[self.name].verdict(stage, self.value) if not math.isnan(self.value) else "missed"

    def cells(self, stage):
        goal = FIGURES[self.name]
        ratio = f"{self.value:.2f}" if self.peer and self.ratio and not math.isnan(self.value) else ""
        return [self.name, goal.title, self.ours, self.peer, ratio,
                *(goal.text(each) for each in STAGES), self.verdict(stage)]


def failed(name, reason):
    """Returns the row of a figure that could not be measured. It counts as missed, so that a
    failure cannot look like success."""
    return Row(name, math.nan, ours="not measured", notes=[reason])


def show(rows, stage):
    if not rows:
        return
    heads = ["figure", "meaning", "ours", "baseline or peer", "ratio", *(f"goal {each}" for each in STAGES), stage]
    lines = [heads, *(row.cells(stage) for row in rows)]
    widths = [max(len(line[i]) for line in lines) for i in range(len(heads))]
    print()
    for i, line in enumerate(lines):
        print("  ".join(cell.ljust(width) for cell, width in zip(line, widths)).rstrip())
        if i == 0:
            print("  ".join("─" * width for width in widths))
    for row in rows:
        for note in row.notes:
            print(f"\n{row.name}: {note}", end="")
    print(flush=True)
