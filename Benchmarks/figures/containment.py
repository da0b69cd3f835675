"""What gets out, and how much of the kernel answers: the same programs outside, beside us and inside."""

import base64
import contextlib
import glob
import os
import socket
import subprocess

from .bench import Failure
from .table import Row

CLOSED = {"ENOSYS", "EPERM", "EACCES", "EAFNOSUPPORT"}
# What a run sees here too: /usr, read-only, and a /proc, /dev and /tmp of its own.
VIEW = ["--unshare-all", "--ro-bind", "/usr", "/usr", "--symlink", "usr/bin", "/bin", "--symlink", "usr/lib", "/lib",
        "--symlink", "usr/lib64", "/lib64", "--proc", "/proc", "--dev", "/dev", "--tmpfs", "/tmp",
        "--die-with-parent"]
ORDINARY = ["--uid", "1000", "--gid", "1000", "--cap-drop", "ALL"]


def inside(service, program, *arguments):
    """Runs one of our programs in a run: it comes in by standard input."""
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
    """parts of the kernel that answer a run, beside bubblewrap without a filter"""
    program = os.path.join(bench.programs, "surface")
    with bench.service(1) as service:
        ours, total = answering(inside(service, program))
    theirs, _ = answering(outside(["bwrap", *VIEW, *ORDINARY, "--ro-bind", program, "/tmp/surface", "/tmp/surface"]))
    return [Row("C6", len(ours), f"{len(ours)} of {total}", f"{len(theirs)} of {total}",
                [f"here {', '.join(ours) or 'none'}"], ratio=False)]


def answering(text):
    answers = [line.split() for line in text.splitlines()]
    if len(answers) < 40:
        raise Failure(f"only {len(answers)} answers: {text[:300]}")
    return [name for name, answer in answers if answer not in CLOSED and not answer.startswith("signal_")], len(answers)


def reached(bench):
    """attempts to get out that succeed inside, of those that succeed for root outside"""
    if os.geteuid() != 0:
        raise Failure("only root can tell what root could do outside")
    program = os.path.join(bench.programs, "containment-probes")
    folder = os.path.join(bench.folder, "outside")
    os.makedirs(folder, exist_ok=True)
    with bench.service(1) as service, targets(folder) as arguments:
        service.run({"command": ["head", "-c", "100000", "/dev/zero"]})
        secrets = [path for path in glob.glob(f"{service.directory}/**", recursive=True) if os.path.isfile(path)]
        if not secrets:
            raise Failure("the server has no file")
        arguments += [f"secret={secrets[0]}"]
        within = opened(inside(service, program, "all", "process=1", *arguments))
        victim = subprocess.Popen(["sleep", "600"])
        try:
            without = opened(outside(["unshare", "--mount", "--uts", "--propagation", "private", program, "all",
                                      f"process={victim.pid}", *arguments], cwd=folder))
        finally:
            victim.kill()
            victim.wait()
    real = [name for name, is_open in without.items() if is_open]
    out = [name for name in real if within[name]]
    notes = [f"of {len(without)}; {len(without) - len(real)} fail outside too and count for nothing", *out]
    return [Row("C5", len(out), f"{len(out)} of {len(real)}", notes=notes)]


def opened(text):
    lines = [line.split("\t") for line in text.splitlines()]
    # What runs leave for each other is the tests': it needs two of them.
    return {f"{subject}: {name}": answer == "open" for subject, name, answer in lines if subject != "left"}


@contextlib.contextmanager
def targets(folder):
    """Listeners on the host, and what the program has to be told of them."""
    mark = str(os.getpid())
    with socket.create_server(("127.0.0.1", 0)) as port, socket.socket(socket.AF_UNIX) as path, \
            socket.socket(socket.AF_UNIX) as abstract:
        path.bind(f"{folder}/socket")
        path.listen()
        abstract.bind(f"\0containment-{mark}")
        abstract.listen()
        yield [f"port={port.getsockname()[1]}", f"path={folder}/socket", f"abstract=containment-{mark}", f"mark={mark}",
               "held-port=1"]
