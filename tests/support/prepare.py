"""Obtains what the suite drives: servers, Pulumi; where it may a browser, an engine, a guest.

python -m tests.support.prepare
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from opsctl.errors import OpsctlError
from opsctl.toolchain import programs
from tests.support import compose
from tests.support.guest import machine

SERVERS = ("postgresql", "valkey", "etcd", "seaweedfs", "prometheus", "alertmanager", "pulumi")
DRILLS = ("libfaketime",)
"""What a drill installs when it is run, and a test of its fault does not."""


CONTAINERS = ("docker.io", "mmdebstrap", "docker-registry", "openssh-server", "openssh-client")
"""What the tests of containers need: engines, the base's tool, a registry, a host to log in to."""
PROGRAMS = ("dockerd", "mmdebstrap", "docker-registry", "/usr/sbin/sshd", "ssh")


GUEST = ("qemu-system-x86", "qemu-utils", "mmdebstrap", "e2fsprogs", "openssh-client")
"""What boots a guest, and what its disk is made with."""


KERNEL = ("ethtool", "iproute2", "nftables", "util-linux")
"""What the tests of settings of a real kernel set it with."""


def chromium() -> str | None:
    """Return why there is no Chromium, after having tried to install Debian's as root."""
    if shutil.which("chromium") or shutil.which("google-chrome"):
        return None
    return _installed("chromium")


def containers() -> str | None:
    """Return why there is no Docker Engine to be started, after having tried as for Chromium."""
    if all(shutil.which(name) for name in PROGRAMS):
        return None
    return _installed(*CONTAINERS)


def guest() -> str | None:
    """Return why no guest can be booted, after having tried as for Chromium."""
    if not machine.lacking():
        return None
    return _installed(*GUEST) or machine.lacking() or None


def kernel() -> str | None:
    """Return why no kernel can be set, after having tried as for Chromium."""
    if all(shutil.which(name) for name in ("ethtool", "ip", "nft", "unshare")):
        return None
    return _installed(*KERNEL)


def _installed(*packages: str) -> str | None:
    words = " ".join(packages)
    if os.geteuid() != 0 or not shutil.which("apt-get"):
        return f"{words} missing; on Debian, as root: apt-get install {words}"
    print(f"-- installing {words}", flush=True)
    for argv in (
        ["apt-get", "update", "-qq"],
        ["apt-get", "install", "-y", "-qq", "--no-install-recommends", *packages],
    ):
        given = {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}
        done = subprocess.run(argv, capture_output=True, text=True, check=False, env=given)
        if done.returncode != 0:
            return f"{' '.join(argv)} failed: {done.stderr.strip().splitlines()[-1:]}"
    return None


def main() -> int:
    """Obtain everything; return the exit code (what is only skipped is no failure)."""
    try:
        programs.obtain(
            (*SERVERS, *DRILLS), lambda name, stage: print(f"-- {name}: {stage}", flush=True)
        )
    except OpsctlError as error:
        print(f"error: {error.message}\n  hint: {error.hint}", file=sys.stderr)
        return 1
    lacking = {
        "browser": chromium(),
        "container": containers(),
        "compose": compose.obtain(),
        "guest": guest(),
        "kernel": kernel(),
    }
    for kind, why in lacking.items():
        if why:
            print(f"-- the {kind} tests will be skipped: {why}")
    return 1 if any(lacking.values()) and os.environ.get("CI") else 0


if __name__ == "__main__":
    sys.exit(main())
