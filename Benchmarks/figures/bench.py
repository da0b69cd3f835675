"""Runs the measuring programs and parses their output."""

import contextlib
import json
import os
import shutil
import statistics
import subprocess
import tempfile
from dataclasses import dataclass

from .service import Failure, Service

__all__ = ["Response", "Bench", "Failure", "median_ratio", "nearest_rank"]


@dataclass
class Response:
    """One line of load's report."""
    request: int       # index in the list of request bodies
    seconds: float     # from just before the send to the complete response
    status: int
    run: dict


def median_ratio(pairs):
    """Returns the median ratio of all rounds. A disturbance of a whole round cancels out."""
    return statistics.median(ours / peer for ours, peer in pairs)


def nearest_rank(values, percent):
    ordered = sorted(values)
    return ordered[max(0, -(-len(ordered) * percent // 100) - 1)]


class Bench:
    """The state of one invocation: server binary, measuring programs, and a directory for reports."""

    def __init__(self, binary, programs, quick):
        self.binary, self.programs, self.quick = os.path.abspath(binary), programs, quick
        self.directory = tempfile.mkdtemp(prefix="sandglass-benchmark-")

    def __enter__(self):
        return self

    def __exit__(self, *_):
        shutil.rmtree(self.directory, ignore_errors=True)

    def choose(self, full, quick):
        return quick if self.quick else full

    def service(self, concurrency, cpu=None, data=None, flags=()):
        return Service(self.binary, concurrency, cpu, data, flags)

    def program(self, name, *arguments, timeout=600):
        """Runs a measuring program and returns its `key value` lines as a dictionary."""
        command = [os.path.join(self.programs, name), *map(str, arguments)]
        try:
            # On an interrupt, subprocess.run kills and reaps the child before it raises.
            done = subprocess.run(command, capture_output=True, text=True, timeout=timeout)
        except subprocess.TimeoutExpired as error:
            raise Failure(f"{name} did not exit within {timeout} s") from error
        if done.returncode != 0:
            raise Failure(f"{name}: {done.stderr.strip()[:800]}")
        return {key: float(value) for key, value in (line.split() for line in done.stdout.splitlines())}

    def baseline(self, workers, runs):
        return self.program("baseline", workers, runs)

    def bodies(self, specifications):
        path = os.path.join(self.directory, "bodies")
        with open(path, "w", encoding="utf-8") as file:
            file.writelines(json.dumps(each) + "\n" for each in specifications)
        return path

    def load(self, service, specifications, count, in_flight, outcome=None, subtract=0):
        """Posts the runs. Fails on a response without status 201 and the expected outcome."""
        options = ["--outcome", outcome] if outcome else []
        return self.program("load", "--port", service.port, "--bodies", self.bodies(specifications),
                            "--count", count, "--in-flight", in_flight, "--subtract", subtract, *options)

    def responses(self, service, specifications, in_flight, outcome=None):
        """Posts each run once and returns all responses."""
        report = os.path.join(self.directory, "report")
        options = ["--outcome", outcome] if outcome else []
        self.program("load", "--port", service.port, "--bodies", self.bodies(specifications), "--report", report,
                     "--count", len(specifications), "--in-flight", in_flight, *options)
        with open(report, encoding="utf-8") as file:
            return [parse(line) for line in file]

    def spawn(self, command, count, concurrency, status=0, subtract=0):
        """Starts a command repeatedly and returns the seconds of each."""
        report = os.path.join(self.directory, "report")
        self.program("spawn", "--concurrency", concurrency, "--count", count, "--status", status,
                     "--subtract", subtract, "--report", report, "--", *command)
        with open(report, encoding="utf-8") as file:
            return [int(line) / 1e9 for line in file]

    @contextlib.contextmanager
    def busy(self, loops, seconds, cpu=None):
        """Keeps busy loops running during the block, for at most `seconds`."""
        prefix = ["taskset", "-c", str(cpu)] if cpu is not None else []
        children = []
        try:
            for _ in range(loops):
                children.append(subprocess.Popen([*prefix, os.path.join(self.programs, "busy"), str(seconds)]))
            yield
        finally:
            for child in children:
                child.kill()
                child.wait()


def parse(line):
    request, nanoseconds, status, body = line.split(" ", 3)
    try:
        run = json.loads(body)
    except ValueError as error:
        raise Failure(f"a response body is not JSON: {body[:300]}") from error
    return Response(int(request), int(nanoseconds) / 1e9, int(status), run)
