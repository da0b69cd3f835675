"""Checks the verdicts of runs, as far as they are provable from outside."""

import collections
import os
import statistics

from .table import Row

SLEEP, SPREAD = 0.05, 0.002
IN_FLIGHT = 8
MAXIMUM_SHOWN = 3

# A command, and the verdict after its own exit. The printed word is the evidence: the command
# writes it after the sleep and before the exit.
Kind = collections.namedtuple("Kind", "command outcome exit_code signal evidence")
PLAIN = Kind(["sleep", str(SLEEP)], "exited", 0, None, "")
CODE = Kind(["sh", "-c", f"sleep {SLEEP}; printf end; exit 7"], "exited", 7, None, "end")
# The same signal as a kill at the limit, but sent by the command: the hardest case.
SIGNAL = Kind(["sh", "-c", f"sleep {SLEEP}; printf end; kill -9 $$"], "signaled", None, 9, "end")
KINDS = (PLAIN, CODE, PLAIN, SIGNAL)


def contradiction(response, kind, limit):
    """Returns the reason why the response cannot be true, or None."""
    run, wall = response.run, response.run["usage"]["wallSeconds"]
    signal = run["signal"]["number"] if run["signal"] else None
    seen = (run["outcome"], run["exitCode"], signal)
    if run["state"] != "finished" or run["timedOut"] != (run["outcome"] == "timed_out"):
        return "state or timedOut contradict the outcome"
    if wall > response.seconds + 0.001:  # 1 ms for rounding
        return "the command took longer than the whole request"
    if run["outcome"] == "timed_out":
        if seen[1:] != (None, 9):
            return "timed_out with an exit code or without SIGKILL"
        return None if min(wall, response.seconds) >= limit else "timed_out before its limit"
    if seen != (kind.outcome, kind.exit_code, kind.signal):
        return "the exit is not the one that the command chose"
    if run["stdout"]["text"] != kind.evidence:
        return "the output that the command writes before its exit is missing"
    # nanosleep never returns early; a tenth is allowed because the start is noticed after exec.
    return None if wall >= SLEEP * 0.9 and response.seconds >= SLEEP else "the exit came before the command could exit"


def spread(centre, count):
    """Returns limits between centre - 2 ms and centre + 2 ms, in whole microseconds."""
    step = 2 * SPREAD / max(count - 1, 1)
    return [round(centre - SPREAD + i * step, 6) for i in range(count)]


def race(bench, service, centre, count, tally):
    """Runs commands whose limit is about their own duration. Counts outcomes and contradictions."""
    # The kinds alternate, so that each kind gets the whole range of limits.
    plan = [(KINDS[i % len(KINDS)], limit) for i, limit in enumerate(spread(centre, count))]
    bodies = [{"command": kind.command, "timeoutSeconds": limit} for kind, limit in plan]
    for response in bench.responses(service, bodies, IN_FLIGHT):
        kind, limit = plan[response.request]
        tally["timed_out" if response.run["outcome"] == "timed_out" else "own exit"] += 1
        if reason := contradiction(response, kind, limit):
            tally["contradictions"] += 1
            if len(tally.shown) < MAXIMUM_SHOWN:
                tally.shown.append(f"{reason}: limit {limit}, {response.run}")


class Tally(collections.Counter):
    """Counts of outcomes, and the first contradictions in full."""

    def __init__(self):
        super().__init__()
        self.shown = []

    def __str__(self):
        return f"{self['timed_out']} timed_out, {self['own exit']} own exit"


def duration(bench, service):
    """Returns the median duration of these commands, including the start of the program."""
    bodies = [{"command": kind.command, "timeoutSeconds": 10} for kind in KINDS * 12]
    return statistics.median(response.run["usage"]["wallSeconds"]
                             for response in bench.responses(service, bodies, IN_FLIGHT))


def race_both(bench, service, count, tally):
    """Races with the limits that the goal names, and a quarter as many with limits about the real
    duration. Under load the real duration is far above 0.05 s, and hardly any command would win."""
    race(bench, service, SLEEP, count, tally)
    race(bench, service, duration(bench, service), count // 4, tally)


def contradictions(bench):
    """verdicts of runs whose limit is about their own duration, free and on one busy CPU"""
    count, free, pinned = bench.choose(10000, 1000), Tally(), Tally()
    with bench.service(IN_FLIGHT) as service:
        race_both(bench, service, count // 2, free)
    cpu = min(os.sched_getaffinity(0))
    with bench.service(IN_FLIGHT, cpu=cpu) as service, bench.busy(3, seconds=900, cpu=cpu):
        race_both(bench, service, count // 2, pinned)
    total = free["contradictions"] + pinned["contradictions"]
    return [Row("C1", total, str(total), notes=[f"free: {free}; pinned: {pinned}", *free.shown, *pinned.shown])]


def early_kills(bench):
    """runs killed before their limit"""
    count = bench.choose(1000, 400)
    limits = [round(0.02 + 0.23 * i / count, 6) for i in range(count)]
    early, shown = 0, []
    with bench.service(IN_FLIGHT) as service:
        bodies = [{"command": ["sleep", "10"], "timeoutSeconds": limit} for limit in limits]
        for response in bench.responses(service, bodies, IN_FLIGHT, "timed_out"):
            if min(response.run["usage"]["wallSeconds"], response.seconds) < limits[response.request]:
                early += 1
                shown.append(f"limit {limits[response.request]}, {response.seconds:.6f} s at the client: "
                             f"{response.run}")
    return [Row("C2", early, str(early), notes=shown[:MAXIMUM_SHOWN])]
