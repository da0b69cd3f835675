"""Reads process trees, memory, descriptors and mounts from /proc."""

import os
import signal


def read(path):
    """Returns the text of a file of /proc, or "" if its process has exited or access is denied."""
    try:
        with open(path, "rb") as file:
            return file.read().decode("utf-8", "replace")
    except OSError:
        return ""


def pids():
    return [int(name) for name in os.listdir("/proc") if name.isdigit()]


def stat(pid):
    """Returns the fields after the command name, which may contain spaces and parentheses:
    [0] state, [1] parent, [19] start time."""
    return read(f"/proc/{pid}/stat").rpartition(")")[2].split()


def start_time(pid):
    fields = stat(pid)
    return fields[19] if fields else None


def descendants(root):
    """Returns all descendants of the process `root`, without itself."""
    children = {}
    for pid in pids():
        fields = stat(pid)
        if fields:
            children.setdefault(int(fields[1]), []).append(pid)
    found, queue = [], [root]
    while queue:
        below = children.get(queue.pop(), [])
        found += below
        queue += below
    return found


def state(pid):
    fields = stat(pid)
    return fields[0] if fields else None


def pid_namespace(pid):
    try:
        return os.readlink(f"/proc/{pid}/ns/pid")
    except OSError:
        return None


def pss_bytes(pid):
    for line in read(f"/proc/{pid}/smaps_rollup").splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    return 0


def descriptors(pid):
    try:
        return len(os.listdir(f"/proc/{pid}/fd"))
    except OSError:
        return 0


def mounts(pid):
    return len(read(f"/proc/{pid}/mountinfo").splitlines())


def command_line(pid):
    return read(f"/proc/{pid}/cmdline")


def end(pid, started):
    """Kills a process if it has the given start time: its pid may have been reused since."""
    if started is not None and start_time(pid) == started:
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            pass
