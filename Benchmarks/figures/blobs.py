"""Blobs in and out, beside what curl gets from and gives to nginx on the same machine."""

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
daemon off; pid {folder}/pid; error_log {folder}/error.log; worker_processes 1; {user}
events {{ worker_connections 64; }}
http {{
    access_log off; sendfile on; client_max_body_size 4g; client_body_temp_path {folder}/body;
    server {{
        listen 127.0.0.1:{port};
        root {folder}/files;
        location / {{ dav_methods PUT; }}
    }}
}}
"""


class Nginx:
    """A server of files, and of PUT, in a folder of its own."""

    def __init__(self, folder):
        self.folder = os.path.join(folder, "nginx")
        for name in ("files", "body"):
            os.makedirs(os.path.join(self.folder, name))
        with socket.socket() as probe:
            probe.bind(("127.0.0.1", 0))
            self.port = probe.getsockname()[1]
        path = os.path.join(self.folder, "nginx.conf")
        with open(path, "w", encoding="utf-8") as file:
            user = "user root;" if os.geteuid() == 0 else ""
            file.write(CONFIGURATION.format(folder=self.folder, port=self.port, user=user))
        self.child = subprocess.Popen(["nginx", "-p", self.folder, "-c", path], stderr=subprocess.DEVNULL)

    def __enter__(self):
        end = time.monotonic() + 10
        while time.monotonic() < end and self.child.poll() is None:
            try:
                socket.create_connection(("127.0.0.1", self.port), 1).close()
                return self
            except OSError:
                time.sleep(0.01)
        self.__exit__()
        raise Failure("nginx does not start (it needs its module http_dav)")

    def __exit__(self, *_):
        self.child.terminate()
        self.child.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def curl(*arguments):
    """The seconds that a transfer takes, by curl's own clock."""
    done = subprocess.run(["curl", "-sS", "-f", "-H", "Expect:", "-w", "%{time_total}", *arguments],
                          capture_output=True, text=True, timeout=300)
    if done.returncode != 0:
        raise Failure(f"curl {arguments[-1]}: {done.stderr.strip()[:300]}")
    return float(done.stdout)


def transfer(bench):
    """a blob of 1 GiB in and out, beside curl and nginx"""
    if not shutil.which("nginx") or not shutil.which("curl"):
        raise Failure("apt install nginx-light curl")
    size = bench.choose(1024, 256) * MIB
    rounds = bench.choose(ROUNDS, 3)
    puts, gets = [], []
    path = os.path.join(bench.folder, "blob")
    flags = ["--blob-bytes", str((rounds + 2) * size + MIB)]
    with Nginx(bench.folder) as nginx, bench.service(2, flags=flags) as service:
        pids = service.own_pids()
        before = pss(pids)
        for number in range(rounds):
            digest = fill(path, size, number)
            ours = f"http://127.0.0.1:{service.port}/blobs/sha256:{digest}"
            peer = f"http://127.0.0.1:{nginx.port}/{digest}"
            puts.append([size / curl("-T", path, "-o", "/dev/null", each) for each in (ours, peer)])
            gets.append([size / curl("-o", "/dev/null", each) for each in (ours, peer)])
            os.unlink(os.path.join(nginx.folder, "files", digest))
        # In a round of its own: to look at the memory takes time from the server alone.
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
    """Writes a file that no other round has, and returns its digest."""
    digest, block = hashlib.sha256(), os.urandom(MIB)
    with open(path, "wb") as file:
        for index in range(size // MIB):
            part = b"%d %d " % (number, index) + block[16:]
            part = part.ljust(MIB, b".")[:MIB]
            digest.update(part)
            file.write(part)
    return digest.hexdigest()
