"""Whether a 202 is kept when the server is killed, as far as that is provable from outside."""

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
LONGEST_ROUND = 0.8            # seconds under load before a kill, at random from 0
MOST_A_ROUND = 80              # runs of a sender, so that there is an end to what is left over
FINISH_SECONDS = 300           # for all that is left over after the last kill
MOST_SHOWN = 3
FLAGS = ("--allow-host-network",)


class Announcements:
    """Hears each command that begins: the command says its number, once for each execution."""

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
                # Only once nothing more has come for a while.
                if self.ended.is_set():
                    return

    def specification(self, number):
        """Commands that take no time, that take some, and that have output in files."""
        say = f"echo {number} > /dev/udp/127.0.0.1/{self.socket.getsockname()[1]}"
        then = ("", "; sleep 0.03", "; head -c 20000 /dev/zero", "; echo out; exit 7")[number % 4]
        return {"command": ["bash", "-c", say + then], "network": "host"}


class Clients:
    """What clients know: which runs were accepted, and which ends they saw."""

    def __init__(self, announcements):
        self.announcements = announcements
        self.numbers = itertools.count()
        self.accepted = {}         # id: number
        self.seen = {}             # id: how it ended
        self.unseen = collections.deque()
        self.faults = []

    @contextlib.contextmanager
    def busy(self, port):
        """They send and read until the server goes away, which is not their fault."""
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
        for _ in range(MOST_A_ROUND):
            if over.is_set():
                return
            number = next(self.numbers)
            body = json.dumps(self.announcements.specification(number))
            connection.request("POST", "/runs", body, {"Content-Type": "application/json"})
            answer = connection.getresponse()
            text = answer.read()
            if answer.status == 202:
                run = json.loads(text)
                self.accepted[run["id"]] = number
                # Some have ended by the time that they are committed.
                if run["state"] == "finished":
                    self.seen[run["id"]] = end(run)
                else:
                    self.unseen.append(run["id"])
            elif answer.status != 503:
                self.faults.append(f"POST /runs: {answer.status}: {text[:200]!r}")

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
                answer = connection.getresponse()
                text = answer.read()
                if answer.status == 404:
                    self.faults.append(f"{id} is unknown")
                elif answer.status == 200:
                    run = json.loads(text)
                    if finished := run["state"] == "finished":
                        self.seen[id] = end(run)
            finally:
                if not finished:
                    self.unseen.append(id)


def end(run):
    return run["outcome"], run["exitCode"], run["finishedAt"]


def finish(service):
    """Waits until nothing is queued or running, within bounds."""
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


def listed(service):
    """How often the list has each run."""
    counts, query = collections.Counter(), "limit=100"
    while query:
        answer = page(service, query)
        counts.update(run["id"] for run in answer["runs"])
        query = f"limit=100&cursor={answer['next']}" if answer["next"] else None
    return counts


def judge(service, clients, counts, tally):
    """Every reason why a promise was not kept."""
    listing = listed(service)
    for id, number in clients.accepted.items():
        status, _, body = service.request("GET", f"/runs/{id}")
        if status != 200:
            yield f"{id} is unknown: {status}"
            continue
        run = json.loads(body)
        tally[run["outcome"] or run["state"]] += 1
        if run["state"] != "finished":
            yield f"{id} is still {run['state']}"
        elif id in clients.seen and clients.seen[id] != end(run):
            yield f"{id} ended in two ways: {clients.seen[id]} before a kill, {end(run)} after it"
        elif run["outcome"] == "exited" and counts[number] == 0:
            yield f"{id} says exited and has not been executed"
        elif run["outcome"] not in ("exited", "lost"):
            yield f"{id} ended as nothing here ends: {run['outcome']} {run['error']}"
        if listing[id] != 1:
            yield f"{id} is listed {listing[id]} times"
    for number, count in counts.items():
        if count > 1:
            yield f"command {number} was executed {count} times"


def broken(bench):
    """promises that a server does not keep which is killed again and again under load"""
    kills, tally = bench.choose(50, 5), collections.Counter()
    folder = tempfile.mkdtemp(prefix="sandglass-benchmark-")
    # Commands may run as a user of their own, who has to get here.
    os.chmod(folder, 0o755)
    data = f"{folder}/data"
    try:
        with Announcements() as announcements:
            clients = Clients(announcements)
            for _ in range(kills):
                with bench.service(CONCURRENCY, data=data, flags=FLAGS) as service, clients.busy(service.port):
                    time.sleep(random.uniform(0, LONGEST_ROUND))
                    service.kill()
            with bench.service(CONCURRENCY, data=data, flags=FLAGS) as service:
                finish(service)
                time.sleep(0.5)    # the last numbers are on their way to the listener's thread
                faults = clients.faults + list(judge(service, clients, announcements.counts, tally))
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    outcomes = ", ".join(f"{count} {name}" for name, count in sorted(tally.items()))
    notes = [f"{kills} kills, {len(clients.accepted)} runs answered 202 ({outcomes}), of which clients saw "
             f"{len(clients.seen)} end; {announcements.counts.total()} executions"]
    return [Row("C4", len(faults), str(len(faults)), notes=[*notes, *faults[:MOST_SHOWN]])]
