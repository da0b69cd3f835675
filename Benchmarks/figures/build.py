"""Builds the C programs, or reports the missing packages."""

import glob
import os
import shutil
import subprocess
import sys

FLAGS = ["-std=gnu17", "-O2", "-Wall", "-Wextra", "-Werror"]
PROGRAMS = {"baseline": [], "load": [], "spawn": [], "busy": [], "surface": [], "http_baseline": ["-lmicrohttpd"]}
TOOLS = {"cc": "gcc", "wrk": "wrk", "taskset": "util-linux", "timeout": "coreutils", "bwrap": "bubblewrap"}


def build(root):
    """Builds the programs and returns their directory. Exits with status 2 on failure."""
    require({package for tool, package in TOOLS.items() if shutil.which(tool) is None}
            | ({"libmicrohttpd-dev"} if shutil.which("cc") and not has_microhttpd() else set()))
    directory = os.path.join(root, ".build-benchmarks")
    os.makedirs(directory, exist_ok=True)
    for name, libraries in PROGRAMS.items():
        compile_one(os.path.join(root, "Benchmarks"), directory, name, libraries)
    compile_probes(os.path.join(root, "Harnesses/containment"), f"{directory}/containment-probes")
    return directory


def compile_one(sources, directory, name, libraries):
    source, header = f"{sources}/{name}.c", f"{sources}/measure.h"
    program = f"{directory}/{name}"
    if os.path.exists(program) and os.path.getmtime(program) > max(map(os.path.getmtime, (source, header))):
        return
    if subprocess.run(["cc", *FLAGS, "-o", program, source, *libraries]).returncode != 0:
        sys.exit(2)


def compile_probes(sources, program):
    """Builds the containment probes that the tests use too."""
    if subprocess.run(["cc", *FLAGS, "-o", program, *sorted(glob.glob(f"{sources}/*.c"))]).returncode != 0:
        sys.exit(2)


def has_microhttpd():
    probe = subprocess.run(["cc", "-E", "-x", "c", "-"], input=b"#include <microhttpd.h>\n",
                           stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return probe.returncode == 0


def require(packages):
    if packages:
        print(f"missing packages; run: apt install {' '.join(sorted(packages))}", file=sys.stderr)
        sys.exit(2)
