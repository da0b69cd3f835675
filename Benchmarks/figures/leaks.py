"""Objects that remain after the runs have ended."""

import os
import random
import time
from dataclasses import dataclass

from . import processes
from .bench import Failure
from .table import Row

IN_FLIGHT = 8
LIMIT = 0.3
REST_SECONDS, POLL_SECONDS = 20, 0.5
SHARED_DIRECTORIES = ("/tmp", "/dev/shm", "/run")
# Kinds that count from the first object, whenever it appeared: processes of finished runs, and
# files of runs that are visible outside the sandbox.
FORBIDDEN = ("processes of runs", "files of runs outside")


def kinds(mark):
    """Returns ten runs, two of which reach their limit. All processes and files of the runs carry
    the mark, so that they can be recognized anywhere on the machine."""
    nap = f"sleep 61.{mark}"

    def shell(script):
        return ["sh", "-c", script]

    storm = f"i=0; while [ $i -lt 50 ]; do {nap} & i=$((i+1)); done"
    ended = [
        (["/bin/true"], "exited"),
        (shell("echo out; echo err >&2"), "exited"),
        (shell("head -c 3M /dev/zero"), "exited"),
        (shell(f"for d in /tmp /dev/shm .; do : > $d/leaked-{mark}; done 2>/dev/null; exit 0"), "exited"),
        (shell("for o in '-Q' '-S 1' '-M 4096'; do ipcmk $o; done >/dev/null 2>&1; exit 0"), "exited"),
        (shell(f"setsid {nap} & exit 0"), "exited"),  # a daemon that keeps the output open
        (shell(f"{storm}; exit 0"), "exited"),
        (["/no/such/program"], "start_failed"),
    ]
    late = [
        [(["sleep", f"61.{mark}"], "timed_out"), (shell(f"{storm}; wait"), "timed_out")],
        [(shell(f"setsid {nap} & {nap}"), "timed_out"),
         (shell(f"setsid sh -c '{storm}; wait' & trap '' TERM; {nap}; {nap}"), "timed_out")],
    ]
    return [ended + pair for pair in late]


def plan(mark, count):
    tens = kinds(mark)
    return [run for i in range(count // 10) for run in tens[i % len(tens)]]


@dataclass
class Snapshot:
    """All counted objects: a list of names for each kind."""
    things: dict

    def growth(self, before):
        """Returns the increase and the new names for each kind. Only the numbers count, because a slot
        that waits for the next run has a new name every time."""
        grown = {}
        for kind, names in self.things.items():
            known = [] if kind in FORBIDDEN else before.things[kind]
            if len(names) > len(known):
                grown[kind] = (len(names) - len(known), sorted(set(names) - set(known)))
        return grown

    def counts(self):
        return {kind: len(names) for kind, names in self.things.items()}


def is_stored_output(service, path):
    """Returns whether a file is the stored output of a run that the server still has."""
    name = os.path.basename(path).partition(".")[0]
    return service.knows(name)


def snapshot(service, own, mark):
    tree = processes.descendants(service.pid)
    marked = [pid for pid in processes.pids() if mark in processes.command_line(pid)]
    shared = shared_files()
    things = {
        "processes": [f"{pid} {processes.command_line(pid)}" for pid in tree if pid not in marked],
        "processes of runs": [f"{pid} {processes.command_line(pid)}" for pid in marked],
        "zombies": [pid for pid in tree if processes.state(pid) == "Z"],
        "cgroups": directories_below("/sys/fs/cgroup"),
        "IPC objects": [line for kind in ("msg", "sem", "shm")
                        for line in processes.read(f"/proc/sysvipc/{kind}").splitlines()[1:]],
        "data files": [path for path in files_below(service.data) if not is_stored_output(service, path)],
        "temporary files": files_below(service.temporary)
        + [path for path in shared if "sandglass" in path],
        "files of runs outside": [path for path in shared if mark in path],
    }
    for pid in own:
        things[f"descriptors of {pid}"] = numbered(processes.descriptors(pid))
    for pid in dict.fromkeys((1, os.getpid(), *own)):
        things[f"mounts of {pid}"] = numbered(processes.mounts(pid))
    return Snapshot(things)


def shared_files():
    """Returns the files in directories that all programs share. Only files that are certainly ours
    are counted. Other new files are listed, because another program may own them."""
    return [f"{directory}/{name}" for directory in SHARED_DIRECTORIES if os.path.isdir(directory) for name in os.listdir(directory)]


def end_strays(mark):
    """Kills leaked processes after they have been counted."""
    for pid in processes.pids():
        started = processes.start_time(pid)
        if mark in processes.command_line(pid):
            processes.end(pid, started)


def numbered(count):
    return list(range(count))


def directories_below(root):
    return [directory for directory, _, _ in os.walk(root)]


def files_below(root):
    return [os.path.join(directory, name) for directory, _, names in os.walk(root) for name in names]


def snapshot_at_rest(service, own, mark):
    """Waits, up to a timeout, until the numbers no longer change. Returns the snapshot."""
    end, last = time.monotonic() + REST_SECONDS, snapshot(service, own, mark)
    while time.monotonic() < end:
        time.sleep(POLL_SECONDS)
        now = snapshot(service, own, mark)
        if now.counts() == last.counts():
            break
        last = now
    return last


def leaks(bench):
    """objects that remain after runs, a fifth of them timed out, with fork storms and daemons"""
    count = bench.choose(1000, 300)
    # Digits, because they are part of a number of seconds; many, so that no other process has them.
    mark = str(random.randrange(10**11, 10**12))
    try:
        with bench.service(IN_FLIGHT) as service:
            run_all(bench, service, plan(mark, 60))
            own = service.own_pids()
            before, shared = snapshot_at_rest(service, own, mark), set(shared_files())
            run_all(bench, service, plan(mark, count))
            grown = growth_at_rest(service, own, mark, before)
            strangers = sorted(set(shared_files()) - shared)
    finally:
        end_strays(mark)
    total = sum(more for more, _ in grown.values())
    notes = [f"{count} runs, {count // 5} of them timed out"]
    notes += [f"{kind}: {more} more; new: {named(new)}" for kind, (more, new) in grown.items()]
    notes += [f"not counted, new in shared directories: {named(strangers)}"] if strangers else []
    return [Row("C3", total, str(total), notes=notes)]


def growth_at_rest(service, own, mark, before):
    """Gives the server a limited time to clean up, and returns the remaining growth."""
    end = time.monotonic() + REST_SECONDS
    while (grown := snapshot(service, own, mark).growth(before)) and time.monotonic() < end:
        time.sleep(POLL_SECONDS)
    return grown


def named(things):
    return ", ".join(" ".join(str(each).replace("\0", " ").split())[:80] for each in things[:5]) or "–"


def run_all(bench, service, runs):
    bodies = [{"command": command, "timeoutSeconds": LIMIT if outcome == "timed_out" else 10}
              for command, outcome in runs]
    for response in bench.responses(service, bodies, IN_FLIGHT):
        command, outcome = runs[response.request]
        if response.run["outcome"] != outcome:
            raise Failure(f"{command}: {response.run['outcome']}, not {outcome}: {response.run}")
