"""Speed: one run, many runs, reading a run, draining an output."""

import os
import re
import statistics
import subprocess

from . import nsjail
from .bench import Failure, median_ratio
from .containment import VIEW
from .service import program_start
from .table import Row

TRUE = {"command": ["/bin/true"]}
CONCURRENCY = 8
MANY = 64
BASELINE_WORKERS = (1, 2, 3, 4)
GIB = 1 << 30


def warm(bench, service):
    """Warms up the server, and checks that /bin/true really exits with 0."""
    run = service.run(TRUE)
    if run["outcome"] != "exited" or run["exitCode"] != 0:
        raise Failure(f"/bin/true did not exit with 0: {run}")
    bench.load(service, [TRUE], 100, 4, "exited")


def latency(bench):
    """latency of /bin/true, one at a time, compared with the baseline"""
    count, pairs = bench.choose(400, 150), []
    with bench.service(CONCURRENCY) as service:
        warm(bench, service)
        for _ in range(bench.choose(9, 5)):
            ours = bench.load(service, [TRUE], count, 1, "exited")["p50_us"]
            pairs.append((ours, bench.baseline(1, count)["p50_us"]))
    ours, baseline = (statistics.median(column) for column in zip(*pairs))
    return [Row("P1", median_ratio(pairs), f"{ours / 1e3:.2f} ms", f"{baseline / 1e3:.2f} ms")]


def throughput(bench):
    """runs per second, 8 in flight, compared with the best baseline of one to four workers"""
    count, pairs = bench.choose(1000, 300), []
    with bench.service(CONCURRENCY) as service:
        warm(bench, service)
        for _ in range(bench.choose(5, 3)):
            ours = bench.load(service, [TRUE], count, 8, "exited")["per_second"]
            pairs.append((ours, max(bench.baseline(workers, count)["per_second"] for workers in BASELINE_WORKERS)))
    ours, baseline = (statistics.median(column) for column in zip(*pairs))
    return [Row("P2", median_ratio(pairs), f"{ours:.0f}/s", f"{baseline:.0f}/s")]


def compared_with_bubblewrap(bench):
    """runs per second, 8 in flight, compared with bubblewrap with the same read-only view"""
    count, pairs, others = bench.choose(1000, 300), [], []
    nsjail_program, note = nsjail.program(bench.programs)
    with bench.service(CONCURRENCY) as service:
        warm(bench, service)
        for _ in range(bench.choose(5, 3)):
            ours = bench.load(service, [TRUE], count, 8, "exited")["per_second"]
            pairs.append((ours, peer_rate(bench, count, "bwrap", *VIEW)))
            if nsjail_program:
                others.append((ours, peer_rate(bench, count, nsjail_program, *nsjail.VIEW, "--")))
    ours, peer = (statistics.median(column) for column in zip(*pairs))
    if others:
        rate = statistics.median(rate for _, rate in others)
        note = f"nsjail with the same view: {rate:.0f}/s, ratio {median_ratio(others):.2f}"
    return [Row("P3", median_ratio(pairs), f"{ours:.0f}/s", f"{peer:.0f}/s", [note])]


def peer_rate(bench, count, *command):
    return bench.program("spawn", "--concurrency", 8, "--count", count // 2, "--", *command, "/bin/true")["per_second"]


def many_in_flight(bench):
    """runs per second, 64 in flight, compared with 8 in flight, with --concurrency 64"""
    count, pairs = bench.choose(2000, 600), []
    with bench.service(MANY) as service:
        warm(bench, service)
        bench.load(service, [TRUE], count, MANY, "exited")
        for _ in range(bench.choose(7, 3)):
            few = bench.load(service, [TRUE], count, 8, "exited")["per_second"]
            pairs.append((bench.load(service, [TRUE], count, MANY, "exited")["per_second"], few))
    many, few = (statistics.median(column) for column in zip(*pairs))
    return [Row("P11", median_ratio(pairs), f"{many:.0f}/s", f"{few:.0f}/s", [f"--concurrency {MANY} for both"])]


def reading(bench):
    """GET requests per second of a finished run, compared with a plain C server"""
    cpus = sorted(os.sched_getaffinity(0))
    if len(cpus) < 2:
        raise Failure("this figure needs two CPUs, one for the server and one for wrk")
    with bench.service(CONCURRENCY, cpu=cpus[0]) as service:
        path = "/runs/" + service.run({"command": ["echo", "hello"]})["id"]
        status, content_type, body = service.request("GET", path)
        if status != 200:
            raise Failure(f"GET {path}: status {status}")
        file = os.path.join(bench.directory, "body")
        with open(file, "wb") as out:
            out.write(body)
        command = ["taskset", "-c", str(cpus[0]), os.path.join(bench.programs, "http_baseline"), file, content_type]
        http_baseline, port, _, _ = program_start(command)
        try:
            pairs = alternate(bench, cpus[1], service.port, port, path)
        finally:
            http_baseline.terminate()
            http_baseline.wait()
    ours, peer = (statistics.median(column) for column in zip(*pairs))
    return [Row("P4", median_ratio(pairs), f"{ours / 1e3:.1f}k/s", f"{peer / 1e3:.1f}k/s",
                [f"{len(body)} bytes"])]


def alternate(bench, cpu, ours, peer, path):
    wrk(cpu, ours, path, 1), wrk(cpu, peer, path, 1)
    seconds = bench.choose(2, 1)
    return [(wrk(cpu, ours, path, seconds), wrk(cpu, peer, path, seconds)) for _ in range(bench.choose(9, 5))]


def wrk(cpu, port, path, seconds):
    done = subprocess.run(["taskset", "-c", str(cpu), "wrk", "-t1", "-c16", f"-d{seconds}s",
                           f"http://127.0.0.1:{port}{path}"], capture_output=True, text=True, timeout=seconds + 30)
    rate = re.search(r"Requests/sec:\s+([\d.]+)", done.stdout)
    if done.returncode != 0 or not rate or "Non-2xx" in done.stdout or "Socket errors" in done.stdout:
        raise Failure(f"wrk: {done.stdout} {done.stderr}")
    return float(rate[1])


def drain(bench):
    """1 GiB of output with a limit of 1 MiB, compared with head | cat"""
    specification = {"command": ["dd", "if=/dev/zero", "bs=256K", "count=4096", "status=none"], "timeoutSeconds": 30,
                     "limits": {"outputBytes": 1 << 20}}
    peer = ["sh", "-c", "head -c 1G /dev/zero | cat >/dev/null"]
    pairs = []
    with bench.service(CONCURRENCY) as service:
        for _ in range(1 + bench.choose(9, 5)):
            response = bench.responses(service, [specification], 1, "exited")[0]
            stdout = response.run["stdout"]
            if stdout["bytes"] != GIB or not stdout["truncated"]:
                raise Failure(f"the run reports {stdout['bytes']} of {GIB} bytes, truncated: {stdout['truncated']}")
            pairs.append((1 / response.seconds, 1 / bench.spawn(peer, 1, 1)[0]))
    pairs = pairs[1:]  # the first round is the warm-up of both
    ours, theirs = (statistics.median(column) for column in zip(*pairs))
    return [Row("P5", median_ratio(pairs), f"{ours:.2f} GiB/s", f"{theirs:.2f} GiB/s")]
