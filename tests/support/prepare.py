"""Obtains what the suite drives: the servers, and a headless Chromium where it may.

python -m tests.support.prepare
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from opsctl.errors import OpsctlError
from opsctl.toolchain import programs

SERVERS = ("postgresql", "valkey", "etcd", "seaweedfs", "prometheus", "alertmanager")


def chromium() -> str | None:
    """Return why there is no Chromium, after having tried to install Debian's as root."""
    if shutil.which("chromium") or shutil.which("google-chrome"):
        return None
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return "chromium is missing; on Debian, as root: apt-get install chromium"
    print("-- installing chromium", flush=True)
    for words in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", "chromium"],
    ):
        done = subprocess.run(words, capture_output=True, text=True, check=False)
        if done.returncode != 0:
            return f"{' '.join(words)} failed: {done.stderr.strip().splitlines()[-1:]}"
    return None


def main() -> int:
    """Obtain everything; return the exit code (a missing browser alone is not a failure)."""
    try:
        programs.obtain(SERVERS, lambda name, stage: print(f"-- {name}: {stage}", flush=True))
    except OpsctlError as error:
        print(f"error: {error.message}\n  hint: {error.hint}", file=sys.stderr)
        return 1
    why = chromium()
    if why:
        print(f"-- the browser tests will be skipped: {why}")
        return 1 if os.environ.get("CI") else 0
    return 0


if __name__ == "__main__":
    sys.exit(main())
