"""Starts, queries, inspects and stops one server under test."""

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
    """The reason why a figure could not be measured."""


def program_start(command, **options):
    """Starts a program that prints its address. Returns the process, its port, the seconds until
    then, and its last lines of standard error. A thread keeps reading that pipe, because a full
    pipe would stop the program."""
    start = time.monotonic()
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=subprocess.DEVNULL,
                             stderr=subprocess.PIPE, text=True, errors="replace", **options)
    lines, ready = collections.deque(maxlen=20), {}
    finished = threading.Event()

    def read():
        for line in child.stderr:
            if not ready and (match := READY.search(line)):
                ready.update(port=int(match[1]), seconds=time.monotonic() - start)
                finished.set()
            lines.append(line.rstrip())
        finished.set()

    threading.Thread(target=read, daemon=True).start()
    try:
        finished.wait(READY_SECONDS)
        if not ready:
            raise Failure(f"{command[0]} did not start to listen: {' | '.join(lines) or 'no message'}")
    except BaseException:
        child.kill()
        child.wait()
        raise
    return child, ready["port"], ready["seconds"], lines


class Service:
    """A running server: `with Service(binary, concurrency=8) as service:`. It has its own
    directory for temporary files, and its own data directory unless `data` names one. Both are
    removed at the end."""

    def __init__(self, binary, concurrency, cpu=None, data=None, flags=()):
        self.directory = tempfile.mkdtemp(prefix="sandglass-benchmark-")
        self.data, self.temporary = data or f"{self.directory}/data", f"{self.directory}/tmp"
        os.makedirs(self.data, exist_ok=True)
        os.mkdir(self.temporary)
        # The launcher may run commands as other users, who need access to this directory.
        os.chmod(self.directory, 0o755)
        os.chmod(self.temporary, 0o1777)
        command = [binary, "serve", "--listen", "127.0.0.1:0", "--concurrency", str(concurrency), *flags]
        if has_data_directory(binary):
            command += ["--data-directory", self.data]
        if cpu is not None:
            command = ["taskset", "-c", str(cpu), *command]
        # A session of its own, so that Ctrl-C reaches only this program, which then stops the server.
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
        """Sends SIGTERM, then kills the remaining processes of the tree by pid."""
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
        """Sends SIGKILL. The launcher and the commands end by themselves."""
        self.child.kill()
        self.child.wait()

    def own_pids(self):
        """Returns the pids of server and launcher: the idle processes in the server's pid namespace.
        Waiting slots and commands have pid namespaces of their own."""
        namespace = processes.pid_namespace(self.pid)
        return [self.pid, *(pid for pid in processes.descendants(self.pid)
                            if processes.pid_namespace(pid) == namespace)]

    def request(self, method, path, body=None, timeout=60):
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            headers = {"Content-Type": "application/json"} if body is not None else {}
            connection.request(method, path, body, headers)
            response = connection.getresponse()
            return response.status, response.getheader("Content-Type"), response.read()
        except (OSError, http.client.HTTPException) as error:
            raise Failure(f"{method} {path}: {error!r}; server: {' | '.join(self.lines)}") from error
        finally:
            connection.close()

    def knows(self, run):
        """Returns whether the server has a run with this id."""
        return self.request("GET", f"/runs/{run}")[0] == 200

    def run(self, specification, timeout=180):
        """Posts a run and waits until it is finished, with several long polls if necessary."""
        end = time.monotonic() + timeout
        status, _, body = self.request("POST", "/runs?wait=30", json.dumps(specification))
        while status in (200, 201, 202):
            run = json.loads(body)
            if run["state"] == "finished":
                return run
            if time.monotonic() > end:
                raise Failure(f"a run did not finish within {timeout} s: {run['command']}")
            status, _, body = self.request("GET", f"/runs/{run['id']}?wait=30")
        raise Failure(f"status {status}: {body[:300]!r}")


def has_data_directory(binary):
    """Returns whether this build has the option --data-directory."""
    text = subprocess.run([binary, "serve", "--help"], capture_output=True, text=True, timeout=15)
    return "--data-directory" in text.stdout + text.stderr
