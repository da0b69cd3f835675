"""Memory of server and launcher as PSS, which counts a shared page once."""

import concurrent.futures
import statistics
import threading
import time

from . import processes
from .bench import Failure
from .speed import CONCURRENCY, TRUE
from .table import Row

MIB = 1 << 20
LARGE_RUNS = 32
SAMPLE_SECONDS, REST_SECONDS = 0.02, 1
LINE = "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_"


def pss(pids):
    total = sum(processes.pss_bytes(pid) for pid in pids)
    if total == 0:
        raise Failure("cannot read smaps_rollup of the server; run as the server's user")
    return total


def writer(mebibytes):
    """Returns a run that writes text to both streams at once, with the default outputBytes."""
    one = f"yes {LINE} | head -c {mebibytes}M"
    return {"command": ["sh", "-c", f"{one} >&2 & {one}; wait"], "timeoutSeconds": 120}


class Peak:
    """The peak memory of processes during the block, from samples."""

    def __init__(self, pids):
        self.pids, self.bytes, self.ended = pids, 0, threading.Event()
        self.thread = threading.Thread(target=self.sample, daemon=True)

    def sample(self):
        while not self.ended.wait(SAMPLE_SECONDS):
            self.bytes = max(self.bytes, sum(processes.pss_bytes(pid) for pid in self.pids))

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()


def growth(bench):
    """memory growth while 32 runs write to both streams"""
    size = bench.choose(256, 64)
    with bench.service(LARGE_RUNS) as service:
        check(service.run(writer(size)), size)
        time.sleep(REST_SECONDS)
        pids = service.own_pids()
        before = pss(pids)
        with Peak(pids) as peak, concurrent.futures.ThreadPoolExecutor(LARGE_RUNS) as pool:
            for run in pool.map(service.run, [writer(size)] * LARGE_RUNS):
                check(run, size)
        time.sleep(REST_SECONDS)
        after = pss(pids)
    grown = (peak.bytes - before) / MIB
    return [Row("P6", grown, f"{grown:.1f} MiB",
                notes=[f"{LARGE_RUNS} × 2 × {size} MiB; from {before / MIB:.1f} MiB; "
                       f"{(after - before) / MIB:+.1f} MiB remain after {REST_SECONDS} s"])]


def check(run, mebibytes):
    for stream in ("stdout", "stderr"):
        if run["outcome"] != "exited" or run[stream]["bytes"] != mebibytes * MIB:
            raise Failure(f"{run['outcome']}, {stream}: {run[stream]['bytes']} bytes")


def idle(bench):
    """memory when idle, and the time from exec to the listening line"""
    starts, sizes = [], []
    for i in range(bench.choose(20, 10)):
        with bench.service(CONCURRENCY) as service:
            starts.append(service.ready_seconds * 1e3)
            if i < 3:
                service.run(TRUE)  # a server without any run is not representative
                time.sleep(REST_SECONDS)
                sizes.append(pss(service.own_pids()) / MIB)
                count = len(service.own_pids())
    memory, start = statistics.median(sizes), statistics.median(starts)
    return [Row("P9 memory", memory, f"{memory:.1f} MiB", notes=[f"{count} processes"]),
            Row("P9 start", start, f"{start:.0f} ms", notes=[f"slowest of {len(starts)}: {max(starts):.0f} ms"])]
