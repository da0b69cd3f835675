"""Checks that every run accepted with 202 survives kills of the server, as far as that is provable
from outside."""

import collections
import contextlib
import http.client
import itertools
import json
import os
import random
import shutil
import socket
import tempfile
import threading
import time

from .bench import Failure
from .table import Row

CONCURRENCY, SENDERS, READERS = 4, 4, 2
LONGEST_ROUND = 0.8            # maximum seconds under load before a kill
MAXIMUM_RUNS_PER_ROUND = 80              # per sender, so that the backlog stays limited
FINISH_SECONDS = 300           # for the backlog after the last kill
MAXIMUM_SHOWN = 3
FLAGS = ("--allow-host-network",)


class Announcements:
    """The counter of executions: each command sends its number in a datagram when it starts."""

    def __init__(self):
        self.counts, self.ended = collections.Counter(), threading.Event()
        self.socket = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 8 << 20)
        self.socket.bind(("127.0.0.1", 0))
        self.socket.settimeout(0.1)
        self.thread = threading.Thread(target=self.listen)

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.ended.set()
        self.thread.join()
        self.socket.close()

    def listen(self):
        while True:
            try:
                self.counts[int(self.socket.recv(64))] += 1
            except TimeoutError:
                # Ends only after no datagram has arrived for a while.
                if self.ended.is_set():
                    return

    def specification(self, number):
        """Returns a command that exits at once, takes some time, writes a large output, or fails."""
        announce = f"echo {number} > /dev/udp/127.0.0.1/{self.socket.getsockname()[1]}"
        then = ("", "; sleep 0.03", "; head -c 20000 /dev/zero", "; echo out; exit 7")[number % 4]
        return {"command": ["bash", "-c", announce + then], "network": "host"}


class Clients:
    """The clients' view: the accepted runs, and the results that clients received."""

    def __init__(self, announcements):
        self.announcements = announcements
        self.numbers = itertools.count()
        self.accepted = {}         # id: number
        self.seen = {}             # id: result
        self.unseen = collections.deque()
        self.faults = []

    @contextlib.contextmanager
    def busy(self, port):
        """Sends and reads until the server is killed, which is not counted as a fault."""
        over = threading.Event()
        work = [self.send] * SENDERS + [self.read] * READERS
        threads = [threading.Thread(target=self.until_over, args=(each, port, over)) for each in work]
        for thread in threads:
            thread.start()
        try:
            yield
        finally:
            over.set()
            for thread in threads:
                thread.join()

    def until_over(self, body, port, over):
        connection = http.client.HTTPConnection("127.0.0.1", port, timeout=30)
        try:
            body(connection, over)
        except (OSError, http.client.HTTPException):
            pass
        finally:
            connection.close()

    def send(self, connection, over):
        for _ in range(MAXIMUM_RUNS_PER_ROUND):
            if over.is_set():
                return
            number = next(self.numbers)
            body = json.dumps(self.announcements.specification(number))
            connection.request("POST", "/runs", body, {"Content-Type": "application/json"})
            response = connection.getresponse()
            text = response.read()
            if response.status == 202:
                run = json.loads(text)
                self.accepted[run["id"]] = number
                # Some runs finish before they are committed.
                if run["state"] == "finished":
                    self.seen[run["id"]] = result(run)
                else:
                    self.unseen.append(run["id"])
            elif response.status != 503:
                self.faults.append(f"POST /runs: {response.status}: {text[:200]!r}")

    def read(self, connection, over):
        while not over.is_set():
            try:
                id = self.unseen.popleft()
            except IndexError:
                over.wait(0.002)
                continue
            finished = False
            try:
                connection.request("GET", f"/runs/{id}?wait=1")
                response = connection.getresponse()
                text = response.read()
                if response.status == 404:
                    self.faults.append(f"{id} is unknown")
                elif response.status == 200:
                    run = json.loads(text)
                    if finished := run["state"] == "finished":
                        self.seen[id] = result(run)
            finally:
                if not finished:
                    self.unseen.append(id)


def result(run):
    return run["outcome"], run["exitCode"], run["finishedAt"]


def finish(service):
    """Waits, up to a timeout, until no run is queued or running."""
    until = time.monotonic() + FINISH_SECONDS
    while any(page(service, f"state={state}&limit=1")["runs"] for state in ("queued", "running")):
        if time.monotonic() > until:
            return
        time.sleep(0.1)


def page(service, query):
    status, _, body = service.request("GET", f"/runs?{query}")
    if status != 200:
        raise Failure(f"GET /runs?{query}: {status}: {body[:300]!r}")
    return json.loads(body)


def count_listed(service):
    """Returns how often the list contains each run."""
    counts, query = collections.Counter(), "limit=100"
    while query:
        response = page(service, query)
        counts.update(run["id"] for run in response["runs"])
        query = f"limit=100&cursor={response['next']}" if response["next"] else None
    return counts


def check(service, clients, counts, tally):
    """Yields a message for each violation."""
    listing = count_listed(service)
    for id, number in clients.accepted.items():
        status, _, body = service.request("GET", f"/runs/{id}")
        if status != 200:
            yield f"{id} is unknown: {status}"
            continue
        run = json.loads(body)
        tally[run["outcome"] or run["state"]] += 1
        if run["state"] != "finished":
            yield f"{id} is still {run['state']}"
        elif id in clients.seen and clients.seen[id] != result(run):
            yield f"{id} has two results: {clients.seen[id]} before a kill, {result(run)} after it"
        elif run["outcome"] == "exited" and counts[number] == 0:
            yield f"{id} has the outcome exited but was never executed"
        elif run["outcome"] not in ("exited", "lost"):
            yield f"{id} has an impossible outcome: {run['outcome']} {run['error']}"
        if listing[id] != 1:
            yield f"{id} is listed {listing[id]} times"
    for number, count in counts.items():
        if count > 1:
            yield f"command {number} was executed {count} times"


def violations(bench):
    """durability violations of a server that is killed repeatedly under load"""
    kills, tally = bench.choose(50, 5), collections.Counter()
    directory = tempfile.mkdtemp(prefix="sandglass-benchmark-")
    # Commands may run as other users, who need access to this directory.
    os.chmod(directory, 0o755)
    data = f"{directory}/data"
    try:
        with Announcements() as announcements:
            clients = Clients(announcements)
            for _ in range(kills):
                with bench.service(CONCURRENCY, data=data, flags=FLAGS) as service, clients.busy(service.port):
                    time.sleep(random.uniform(0, LONGEST_ROUND))
                    service.kill()
            with bench.service(CONCURRENCY, data=data, flags=FLAGS) as service:
                finish(service)
                time.sleep(0.5)    # lets the last datagrams reach the listener's thread
                faults = clients.faults + list(check(service, clients, announcements.counts, tally))
    finally:
        shutil.rmtree(directory, ignore_errors=True)
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(tally.items()))
    notes = [f"{kills} kills, {len(clients.accepted)} runs accepted with 202 ({outcomes}); clients saw "
             f"{len(clients.seen)} results; {announcements.counts.total()} executions"]
    return [Row("C4", len(faults), str(len(faults)), notes=[*notes, *faults[:MAXIMUM_SHOWN]])]
