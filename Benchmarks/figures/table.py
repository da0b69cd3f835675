"""One row for each figure, and the table that they make."""

import math
from dataclasses import dataclass, field

from .goals import FIGURES, STAGES


@dataclass
class Row:
    name: str                   # a key of FIGURES
    value: float                # what the goal is compared with
    ours: str = ""
    peer: str = ""
    notes: list = field(default_factory=list)
    ratio: bool = True          # whether the value is one of ours to the peer

    def verdict(self, stage):
        return FIGURES[self.name].verdict(stage, self.value) if not math.isnan(self.value) else "missed"

    def cells(self, stage):
        goal = FIGURES[self.name]
        ratio = f"{self.value:.2f}" if self.peer and self.ratio and not math.isnan(self.value) else ""
        return [self.name, goal.what, self.ours, self.peer, ratio,
                *(goal.text(each) for each in STAGES), self.verdict(stage)]


def failed(name, why):
    """A figure that could not be taken counts as missed: silence must not look like success."""
    return Row(name, math.nan, ours="not taken", notes=[why])


def show(rows, stage):
    if not rows:
        return
    heads = ["figure", "what", "ours", "floor or peer", "ratio", *(f"goal {each}" for each in STAGES), stage]
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
