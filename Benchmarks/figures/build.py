"""Builds the C programs, or says what is missing for it."""

import glob
import os
import shutil
import subprocess
import sys

FLAGS = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror"]
PROGRAMS = {"floor": [], "load": [], "spawn": [], "busy": [], "surface": [], "baseline": ["-lmicrohttpd"]}
TOOLS = {"cc": "gcc", "wrk": "wrk", "taskset": "util-linux", "timeout": "coreutils", "bwrap": "bubblewrap"}


def build(root):
    """Returns the folder of the programs; ends this program with status 2 where it cannot."""
    require({package for tool, package in TOOLS.items() if shutil.which(tool) is None}
            | ({"libmicrohttpd-dev"} if shutil.which("cc") and not has_microhttpd() else set()))
    folder = os.path.join(root, ".build-benchmarks")
    os.makedirs(folder, exist_ok=True)
    for name, libraries in PROGRAMS.items():
        compile_one(os.path.join(root, "Benchmarks"), folder, name, libraries)
    compile_probes(os.path.join(root, "Tests/ContainmentProbes"), f"{folder}/containment-probes")
    return folder


def compile_one(sources, folder, name, libraries):
    source, header = f"{sources}/{name}.c", f"{sources}/measure.h"
    program = f"{folder}/{name}"
    if os.path.exists(program) and os.path.getmtime(program) > max(map(os.path.getmtime, (source, header))):
        return
    if subprocess.run(["cc", *FLAGS, "-o", program, source, *libraries]).returncode != 0:
        sys.exit(2)


def compile_probes(sources, program):
    """The tests' own attempts to get out."""
    if subprocess.run(["cc", *FLAGS, "-o", program, *sorted(glob.glob(f"{sources}/*.c"))]).returncode != 0:
        sys.exit(2)


def has_microhttpd():
    probe = subprocess.run(["cc", "-E", "-x", "c", "-"], input=b"#include <microhttpd.h>\n",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return probe.returncode == 0


def require(packages):
    if packages:
        print(f"missing: apt install {' '.join(sorted(packages))}", file=sys.stderr)
        sys.exit(2)
