"""Containment probes and reachable kernel interfaces: inside a run, outside, and in bubblewrap."""

import base64
import contextlib
import glob
import os
import socket
import subprocess

from .bench import Failure
from .table import Row

CLOSED = {"ENOSYS", "EPERM", "EACCES", "EAFNOSUPPORT"}
# The same view as a run: /usr read-only, and a /proc, /dev and /tmp of its own.
VIEW = ["--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
        "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
        "--die-with-parent"]
ORDINARY = ["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]


def inside(service, program, *arguments):
    """Runs a program in a run, which receives it on standard input."""
    with open(program, "rb") as file:
        stdin = {"base64": base64.b64encode(file.read()).decode()}
    script = 'cat > program && chmod 700 program && exec ./program "$@" < /dev/null'
    run = service.run({"command": ["/bin/sh", "-c", script, "sh", *arguments], "stdin": stdin, "timeoutSeconds": 60})
    if run["outcome"] != "exited" or run["exitCode"] != 0:
        raise Failure(f"{os.path.basename(program)}: {run['outcome']}, {run['stderr']['text'][:300]}")
    return run["stdout"]["text"]


def outside(command, **options):
    done = subprocess.run(command, capture_output=True, text=True, timeout=120, **options)
    if done.returncode != 0:
        raise Failure(f"{command[0]}: {done.stderr.strip()[:300]}")
    return done.stdout


def surface(bench):
    """kernel interfaces that a run can reach, compared with bubblewrap without a filter"""
    program = os.path.join(bench.programs, "surface")
    with bench.service(1) as service:
        ours, total = reachable(inside(service, program))
    theirs, _ = reachable(outside(["bwrap", *VIEW, *ORDINARY, "--ro-bind", program, "/tmp/surface", "/tmp/surface"]))
    return [Row("C6", len(ours), f"{len(ours)} of {total}", f"{len(theirs)} of {total}",
                [f"reachable: {', '.join(ours) or 'none'}"], ratio=False)]


def reachable(text):
    results = [line.split() for line in text.splitlines()]
    if len(results) < 40:
        raise Failure(f"only {len(results)} results: {text[:300]}")
    return [name for name, result in results if result not in CLOSED and not result.startswith("signal_")], len(results)


def escapes(bench):
    """containment probes that succeed inside, of those that succeed for root outside"""
    if os.geteuid() != 0:
        raise Failure("this figure must run as root, because the probes run as root outside")
    program = os.path.join(bench.programs, "containment-probes")
    directory = os.path.join(bench.directory, "outside")
    os.makedirs(directory, exist_ok=True)
    with bench.service(1) as service, targets(directory) as arguments:
        service.run({"command": ["head", "-c", "100000", "/dev/zero"]})
        secrets = [path for path in glob.glob(f"{service.directory}/**", recursive=True) if os.path.isfile(path)]
        if not secrets:
            raise Failure("the server stored no file that a probe could read")
        arguments += [f"secret={secrets[0]}"]
        inside_results = opened(inside(service, program, "all", "process=1", *arguments))
        victim = subprocess.Popen(["sleep", "600"])
        try:
            command = ["unshare", "--mount", "--uts", "--propagation", "private", program, "all"]
            outside_results = opened(outside([*command, f"process={victim.pid}", *arguments], cwd=directory))
        finally:
            victim.kill()
            victim.wait()
    real = [name for name, is_open in outside_results.items() if is_open]
    out = [name for name in real if inside_results[name]]
    excluded = len(outside_results) - len(real)
    notes = [f"{len(outside_results)} probes; {excluded} fail outside too and are not counted", *out]
    return [Row("C5", len(out), f"{len(out)} of {len(real)}", notes=notes)]


def opened(text):
    lines = [line.split("\t") for line in text.splitlines()]
    # The leftover probes need two runs; the tests cover them.
    return {f"{subject}: {name}": result == "open" for subject, name, result in lines if subject != "leftovers"}


@contextlib.contextmanager
def targets(directory):
    """Opens listeners on the host and yields the arguments that describe them to the probes."""
    mark = str(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as path, \
            socket.socket(socket.AF_UNIX) as abstract:
        path.bind(f"{directory}/socket")
        path.listen()
        abstract.bind(f"\0containment-{mark}")
        abstract.listen()
        yield [f"port={port.getsockname()[1]}", f"path={directory}/socket", f"abstract=containment-{mark}", f"mark={mark}",
               "held-port=1"]
