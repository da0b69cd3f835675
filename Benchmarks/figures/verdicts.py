"""Whether verdicts are true, as far as that is provable from outside."""

import collections
import os
import statistics

from .table import Row

SLEEP, SPREAD = 0.05, 0.002
IN_FLIGHT = 8
MOST_SHOWN = 3

# What the command does at its own end, and what a verdict that says so must then show. The
# printed word is the command's evidence: it was written after the sleep and before the end.
Kind = collections.namedtuple("Kind", "command outcome exit_code signal evidence")
PLAIN = Kind(["sleep", str(SLEEP)], "exited", 0, None, "")
CODE = Kind(["sh", "-c", f"sleep {SLEEP}; printf end; exit 7"], "exited", 7, None, "end")
# The hardest to tell from a kill at the limit: the same signal, sent by the command.
SIGNAL = Kind(["sh", "-c", f"sleep {SLEEP}; printf end; kill -9 $$"], "signaled", None, 9, "end")
KINDS = (PLAIN, CODE, PLAIN, SIGNAL)


def contradiction(answer, kind, limit):
    """Why the answer cannot be true, or None."""
    run, wall = answer.run, answer.run["usage"]["wallSeconds"]
    signal = run["signal"]["number"] if run["signal"] else None
    seen = (run["outcome"], run["exitCode"], signal)
    if run["state"] != "finished" or run["timedOut"] != (run["outcome"] == "timed_out"):
        return "state or timedOut do not fit the outcome"
    if wall > answer.seconds + 0.001:  # a millisecond for rounding
        return "the command took longer than the whole request"
    if run["outcome"] == "timed_out":
        if seen[1:] != (None, 9):
            return "timed_out with an exit code or without SIGKILL"
        return None if min(wall, answer.seconds) >= limit else "timed_out before its limit"
    if seen != (kind.outcome, kind.exit_code, kind.signal):
        return "an end that the command did not choose"
    if run["stdout"]["text"] != kind.evidence:
        return "an end without what the command does before it"
    # nanosleep never ends early; a tenth is left for when exec is noticed.
    return None if wall >= SLEEP * 0.9 and answer.seconds >= SLEEP else "an end before the command could end"


def spread(centre, count):
    """Limits over centre ± 2 ms, in whole microseconds."""
    step = 2 * SPREAD / max(count - 1, 1)
    return [round(centre - SPREAD + i * step, 6) for i in range(count)]


def race(bench, service, centre, count, tally):
    """Runs whose limit is about their own length; counts outcomes and contradictions."""
    # The kinds follow each other, so each kind sees the whole spread of limits.
    plan = [(KINDS[i % len(KINDS)], limit) for i, limit in enumerate(spread(centre, count))]
    bodies = [{"command": kind.command, "timeoutSeconds": limit} for kind, limit in plan]
    for answer in bench.answers(service, bodies, IN_FLIGHT):
        kind, limit = plan[answer.request]
        tally["timed_out" if answer.run["outcome"] == "timed_out" else "own end"] += 1
        if why := contradiction(answer, kind, limit):
            tally["contradictions"] += 1
            if len(tally.shown) < MOST_SHOWN:
                tally.shown.append(f"{why}: limit {limit}, {answer.run}")


class Tally(collections.Counter):
    """Counts, and the first contradictions in full."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def __str__(self):
        return f"{self['timed_out']} timed_out, {self['own end']} own end"


def length(bench, service):
    """How long these commands really take here, start of the program included."""
    bodies = [{"command": kind.command, "timeoutSeconds": 10} for kind in KINDS * 12]
    return statistics.median(answer.run["usage"]["wallSeconds"]
                             for answer in bench.answers(service, bodies, IN_FLIGHT))


def both(bench, service, count, tally):
    """The limits that the goal names, and a quarter as many about what the commands really
    take: under load that is so much longer than 0.05 s that hardly any would win."""
    race(bench, service, SLEEP, count, tally)
    race(bench, service, length(bench, service), count // 4, tally)


def contradictions(bench):
    """verdicts of runs whose limit is about their own length, free and on one crowded CPU"""
    count, free, pinned = bench.choose(10000, 1000), Tally(), Tally()
    with bench.service(IN_FLIGHT) as service:
        both(bench, service, count // 2, free)
    cpu = min(os.sched_getaffinity(0))
    with bench.service(IN_FLIGHT, cpu=cpu) as service, bench.busy(3, seconds=900, cpu=cpu):
        both(bench, service, count // 2, pinned)
    total = free["contradictions"] + pinned["contradictions"]
    return [Row("C1", total, str(total), notes=[f"free: {free}; pinned: {pinned}", *free.shown, *pinned.shown])]


def early_kills(bench):
    """runs that were killed before their limit"""
    count = bench.choose(1000, 400)
    limits = [round(0.02 + 0.23 * i / count, 6) for i in range(count)]
    early, shown = 0, []
    with bench.service(IN_FLIGHT) as service:
        bodies = [{"command": ["sleep", "10"], "timeoutSeconds": limit} for limit in limits]
        for answer in bench.answers(service, bodies, IN_FLIGHT, "timed_out"):
            if min(answer.run["usage"]["wallSeconds"], answer.seconds) < limits[answer.request]:
                early += 1
                shown.append(f"limit {limits[answer.request]}, {answer.seconds:.6f} s here: {answer.run}")
    return [Row("C2", early, str(early), notes=shown[:MOST_SHOWN])]
