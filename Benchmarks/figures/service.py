"""One server under test: started, asked, looked at, ended."""

import collections
import http.client
import json
import os
import re
import shutil
import subprocess
import tempfile
import threading
import time

from . import processes

READY = re.compile(r"listening on http://127\.0\.0\.1:(\d+)")
READY_SECONDS, STOP_SECONDS = 15, 10


class Failure(Exception):
    """A figure cannot be taken; says why."""


def program_start(command, **options):
    """Starts a program that says where it listens; returns it, its port, the seconds that took
    and its last lines of standard error, which a thread goes on to read: a full pipe would
    stop the program."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, errors="replace", **options)
    lines, ready = collections.deque(maxlen=20), {}
    settled = threading.Event()

    def read():
        for line in child.stderr:
            if not ready and (match := READY.search(line)):
                ready.update(port=int(match[1]), seconds=time.monotonic() - start)
                settled.set()
            lines.append(line.rstrip())
        settled.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        settled.wait(READY_SECONDS)
        if not ready:
            raise Failure(f"{command[0]} does not listen: {' | '.join(lines) or 'no message'}")
    except BaseException:
        child.kill()
        child.wait()
        raise
    return child, ready["port"], ready["seconds"], lines


class Service:
    """`with Service(binary, concurrency=8) as service:`. Has a directory for temporary files of
    its own, and a data directory unless it is given one; both of its own go when it ends."""

    def __init__(self, binary, concurrency, cpu=None, data=None, flags=()):
        self.directory = tempfile.mkdtemp(prefix="sandglass-benchmark-")
        self.data, self.temporary = data or f"{self.directory}/data", f"{self.directory}/tmp"
        os.makedirs(self.data, exist_ok=True)
        os.mkdir(self.temporary)
        # The launcher may give the commands a user of their own, who has to get here.
        os.chmod(self.directory, 0o755)
        os.chmod(self.temporary, 0o1777)
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--concurrency", str(concurrency), *flags]
        if stores(binary):
            command += ["--data-directory", self.data]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        # A session of its own: Ctrl-C reaches this program, which then ends the server.
        try:
            self.child, self.port, self.ready_seconds, self.lines = program_start(
                command, env={**os.environ, "TMPDIR": self.temporary}, start_new_session=True)
        except BaseException:
            shutil.rmtree(self.directory, ignore_errors=True)
            raise

    @property
    def pid(self):
        return self.child.pid  # taskset execs the server, so this is the server itself

    def __enter__(self):
        return self

    def __exit__(self, *_):
        """SIGTERM first; what is left of the tree after that is killed by pid."""
        tree = {pid: processes.start_time(pid) for pid in processes.descendants(self.pid)}
        self.child.terminate()
        try:
            self.child.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.child.kill()
            self.child.wait()
        for pid, started in tree.items():
            processes.end(pid, started)
        self.child.stderr.close()
        shutil.rmtree(self.directory, ignore_errors=True)

    def kill(self):
        """SIGKILL, without a warning. Its launcher and commands end by themselves."""
        self.child.kill()
        self.child.wait()

    def own_pids(self):
        """Server and launcher: what is there at idle and in the server's own pid namespace.
        Waiting slots and commands are in others."""
        namespace = processes.pid_namespace(self.pid)
        return [self.pid, *(pid for pid in processes.descendants(self.pid)
                            if processes.pid_namespace(pid) == namespace)]

    def request(self, method, path, body=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, answer.getheader("Content-Type"), answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {path}: {error!r}; server: {' | '.join(self.lines)}") from error
        finally:
            connection.close()

    def knows(self, run):
        """Whether there is a run of that name."""
        return self.request("GET", f"/runs/{run}")[0] == 200

    def run(self, specification, within=180):
        """Posts a run and waits until it is finished, also past one long poll."""
        end = time.monotonic() + within
        status, _, body = self.request("POST", "/runs?wait=30", json.dumps(specification))
        while status in (200, 201, 202):
            run = json.loads(body)
            if run["state"] == "finished":
                return run
            if time.monotonic() > end:
                raise Failure(f"a run is not finished after {within} s: {run['command']}")
            status, _, body = self.request("GET", f"/runs/{run['id']}?wait=30")
        raise Failure(f"status {status}: {body[:300]!r}")


def stores(binary):
    """Whether this build takes a data directory."""
    text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, timeout=15)
    return "--data-directory" in text.stdout + text.stderr
