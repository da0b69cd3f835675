"""Live output: its delay, and the completeness of what each follower receives."""

import json
import selectors
import socket
import time
import zlib

from .bench import Failure, nearest_rank
from .memory import MIB, Peak, pss
from .table import Row

SECONDS, FOLLOWERS, RATE = 5, 500, 10 * MIB
# Writes a line with the current time every few milliseconds.
CLOCK = ("use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC usleep); $| = 1; "
         "for (1 .. {count}) {{ usleep({pause}); printf \"%.9f\\n\", clock_gettime(CLOCK_MONOTONIC) }}")
# Writes pieces of 64 KiB at a fixed rate, each line with the number of its piece.
STEADY = ("use Time::HiRes qw(clock_gettime CLOCK_MONOTONIC sleep); my $start = clock_gettime(CLOCK_MONOTONIC); "
          "for my $i (0 .. {count} - 1) {{ my $wait = $start + $i / {pieces} - clock_gettime(CLOCK_MONOTONIC); "
          "sleep($wait) if $wait > 0; my $b = sprintf(\"%015d\\n\", $i) x 4096; "
          "my $o = 0; $o += syswrite(STDOUT, $b, 65536 - $o, $o) while $o < 65536 }}")


class Follower:
    """A client of `stdout?follow=true`, which decodes the chunked coding (RFC 9112, section 7.1)."""

    def __init__(self, port, run):
        self.socket = socket.create_connection(("127.0.0.1", port), 30)
        self.socket.sendall(f"GET /runs/{run}/stdout?follow=true HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\n".encode())
        self.rest, self.inside, self.remaining, self.ended = b"", False, 0, False
        self.bytes, self.sum = 0, 0

    def read(self, receive=None):
        """Reads the available bytes. Returns False at the end of the output."""
        part = self.socket.recv(1 << 18)
        if not part:
            raise Failure(f"a follower was disconnected after {self.bytes} bytes")
        data = self.rest + part if self.rest else part
        at = 0
        if not self.inside:
            head = data.find(b"\r\n\r\n")
            if head < 0:
                self.rest = data
                return True
            if not data.startswith(b"HTTP/1.1 200"):
                raise Failure(f"a follower got {data[:40]!r}")
            self.inside, at = True, head + 4
        while at < len(data) and not self.ended:
            if self.remaining == 0:
                end = data.find(b"\r\n", at)
                if end < 0:
                    break
                if end == at:  # after a chunk
                    at = end + 2
                    continue
                self.remaining = int(data[at:end], 16)
                at = end + 2
                self.ended = self.remaining == 0
                continue
            piece = data[at:at + self.remaining]
            self.bytes += len(piece)
            self.sum = zlib.crc32(piece, self.sum)
            if receive:
                receive(piece)
            at += len(piece)
            self.remaining -= len(piece)
        self.rest = data[at:]
        return not self.ended


def begin(service, script, **limits):
    status, _, body = service.request("POST", "/runs", json.dumps(
        {"command": ["perl", "-e", script], "timeoutSeconds": 60, "limits": limits}))
    if status != 202:
        raise Failure(f"status {status}: {body[:300]!r}")
    return json.loads(body)["id"]


def latency(bench):
    """delay from a command's write to a client's read, idle"""
    count, delays = bench.choose(2000, 500), []
    with bench.service(2) as service:
        follower = Follower(service.port, begin(service, CLOCK.format(count=count, pause=2500)))
        lines = b""

        def receive(piece):
            nonlocal lines
            now = time.monotonic()
            whole = (lines + piece).split(b"\n")
            lines = whole.pop()
            delays.extend(now - float(line) for line in whole)

        while follower.read(receive):
            pass
    if len(delays) != count:
        raise Failure(f"only {len(delays)} of {count} lines arrived")
    p50, p99 = (nearest_rank(delays, percent) * 1000 for percent in (50, 99))
    return [Row("L1", p99, f"{p99:.2f} ms", notes=[f"{count} lines 2.5 ms apart; p50 {p50:.2f} ms"])]


def followers(bench):
    """500 followers of a run that writes 10 MiB/s"""
    count = bench.choose(SECONDS, 1) * RATE // 65536
    expected = zlib.crc32(b"")
    for number in range(count):
        expected = zlib.crc32(b"%015d\n" % number * 4096, expected)
    with bench.service(2, flags=["--max-connections", "1024"]) as service:
        pids = service.own_pids()
        before = pss(pids)
        start = time.monotonic()
        run = begin(service, STEADY.format(count=count, pieces=RATE // 65536), outputBytes=count * 65536)
        clients = [Follower(service.port, run) for _ in range(FOLLOWERS)]
        with selectors.DefaultSelector() as selector, Peak(pids) as peak:
            for client in clients:
                selector.register(client.socket, selectors.EVENT_READ, client)
            while selector.get_map():
                for key, _ in selector.select(60):
                    if not key.data.read():
                        selector.unregister(key.fileobj)
        seconds = time.monotonic() - start
        for client in clients:
            client.socket.close()
    lost = sum(client.bytes != count * 65536 or client.sum != expected for client in clients)
    return [Row("L2", lost, f"{lost}", notes=[
        f"{FOLLOWERS} × {count * 65536 / MIB:.0f} MiB in {seconds:.1f} s; "
        f"memory {(peak.bytes - before) / MIB:+.1f} MiB"])]
