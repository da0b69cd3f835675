"""Upload and download of blobs, compared with curl and nginx on the same machine."""

import hashlib
import os
import shutil
import socket
import subprocess
import time

from .bench import Failure, median_ratio
from .memory import MIB, Peak, pss
from .table import Row

ROUNDS = 5
CONFIGURATION = """
daemon off; pid {directory}/pid; error_log {directory}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; client_max_body_size 4g; client_body_temp_path {directory}/body;
    server {{
        listen 127.0.0.1:{port};
        root {directory}/files;
        location / {{ dav_methods PUT; }}
    }}
}}
"""


class Nginx:
    """An nginx that serves files and accepts PUT, in a directory of its own."""

    def __init__(self, directory):
        self.directory = os.path.join(directory, "nginx")
        for name in ("files", "body"):
            os.makedirs(os.path.join(self.directory, name))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path = os.path.join(self.directory, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            user = "user root;" if os.geteuid() == 0 else ""
            file.write(CONFIGURATION.format(directory=self.directory, port=self.port, user=user))
        self.child = subprocess.Popen(["nginx", "-p", self.directory, "-c", path], stderr=subprocess.DEVNULL)

    def __enter__(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.01)
        self.__exit__()
        raise Failure("nginx did not start; check that its module http_dav is installed")

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        shutil.rmtree(self.directory, ignore_errors=True)


def curl(*arguments):
    """Returns the seconds of a transfer by curl's own clock."""
    done = subprocess.run(["curl", "-sS", "-f", "-H", "Expect:", "-w", "%{time_total}", *arguments],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise Failure(f"curl {arguments[-1]}: {done.stderr.strip()[:300]}")
    return float(done.stdout)


def transfer(bench):
    """upload and download of a 1 GiB blob, compared with nginx"""
    if not shutil.which("nginx") or not shutil.which("curl"):
        raise Failure("nginx or curl is missing; run: apt install nginx-light curl")
    size = bench.choose(1024, 256) * MIB
    rounds = bench.choose(ROUNDS, 3)
    puts, gets = [], []
    path = os.path.join(bench.directory, "blob")
    flags = ["--blob-bytes", str((rounds + 2) * size + MIB)]
    with Nginx(bench.directory) as nginx, bench.service(2, flags=flags) as service:
        pids = service.own_pids()
        before = pss(pids)
        for number in range(rounds):
            digest = fill(path, size, number)
            ours = f"http://127.0.0.1:{service.port}/blobs/sha256:{digest}"
            peer = f"http://127.0.0.1:{nginx.port}/{digest}"
            puts.append([size / curl("-T", path, "-o", "/dev/null", each) for each in (ours, peer)])
            gets.append([size / curl("-o", "/dev/null", each) for each in (ours, peer)])
            os.unlink(os.path.join(nginx.directory, "files", digest))
        # A separate round, because sampling the memory slows down the server.
        ours = f"http://127.0.0.1:{service.port}/blobs/sha256:{fill(path, size, rounds)}"
        with Peak(pids) as peak:
            curl("-T", path, "-o", "/dev/null", ours)
            curl("-o", "/dev/null", ours)
        grown = peak.bytes - before
    notes = [f"{rounds} × {size // MIB} MiB"]
    return [row("B1", puts, notes), row("B2", gets, notes),
            Row("B3", grown / MIB, f"{grown / MIB:.1f} MiB", notes=[f"from {before / MIB:.1f} MiB"])]


def row(name, rates, notes):
    ours, peer = (f"{sorted(each)[len(each) // 2] / (1 << 30):.2f} GiB/s" for each in zip(*rates))
    return Row(name, median_ratio(rates), ours, peer, notes=notes)


def fill(path, size, number):
    """Writes a file that is unique to the round and returns its digest."""
    digest, block = hashlib.sha256(), os.urandom(MIB)
    with open(path, "wb") as file:
        for index in range(size // MIB):
            part = b"%d %d " % (number, index) + block[16:]
            part = part.ljust(MIB, b".")[:MIB]
            digest.update(part)
            file.write(part)
    return digest.hexdigest()
