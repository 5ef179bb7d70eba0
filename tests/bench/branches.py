"""Environments of CI: one from built images to verified, and ten at once on this machine.

The engine is that of `DOCKER_HOST`; without one a dockerd of our own is started for it (root).
"""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor, as_completed
from pathlib import Path

from opsctl.targets.local.processes import environment_of, pids
from tests.bench.containers import engine
from tests.bench.row import Row
from tests.bench.timing import OPSCTL, opsctl_json
from tests.soak.recorded import opsctl
from tests.support.servers import folder

AT_ONCE = 10
UP = ("env", "up", "--from", "daily", "--ttl", "30m")
MEETS = """
env | grep ^OPSCTL_AT_ > "$MEETING/.$OPSCTL_ENVIRONMENT"
mv "$MEETING/.$OPSCTL_ENVIRONMENT" "$MEETING/$OPSCTL_ENVIRONMENT"
until [ "$(ls "$MEETING" | wc -l)" -ge "$EXPECTED" ]; do sleep 0.2; done
"""
"""What runs in each: it says where its ports are, and waits until all of them stand."""


def measure() -> list[Row]:
    """Make environments as jobs do, and return the figures."""
    with engine():
        opsctl("images", "build")
        one = opsctl_json(*UP, "--name", "bench", "--target", "docker")
    if one["verdict"] != "passed":
        sys.exit(f"env up in containers {one['verdict']}: {one['error']}")
    took = {step["name"]: step["duration_s"] for step in one["steps"]}
    verified = f"{took['deploy'] + took['verify']:.1f} s"
    stood_s, ports = at_once()
    return [
        Row("env up in containers: from built images to verified", "<= 60 s", verified),
        Row("env up in containers: taken away", "", f"{took['take away']:.1f} s"),
        Row(
            f"{AT_ONCE} environments at once on this machine, until all of them stand",
            "none collides",
            f"{stood_s:.1f} s, {ports} ports, each had once, nothing left",
        ),
    ]


def at_once() -> tuple[float, int]:
    """Have ten stand at the same time; return after how many seconds, and how many ports.

    Stops where one fails, two have the same port, or anything is left.
    """
    with folder() as meeting:
        os.environ |= {"MEETING": str(meeting), "EXPECTED": str(AT_ONCE)}
        began = time.time()
        jobs = [_job(f"bench-{n}") for n in range(AT_ONCE)]
        with ThreadPoolExecutor(AT_ONCE) as pool:
            for ended in as_completed([pool.submit(job.communicate) for job in jobs]):
                if failed := [job for job in jobs if job.poll()]:
                    for job in jobs:
                        job.terminate()  # else they wait for the one that failed
                    sys.exit(f"one of them exited {failed[0].returncode}: {ended.result()[1]}")
        told = [path for path in meeting.iterdir() if not path.name.startswith(".")]
        stood_s = max(path.stat().st_mtime for path in told) - began
        ports = [line.partition("=")[2] for path in told for line in path.read_text().splitlines()]
    if len(told) != AT_ONCE or len(set(ports)) != len(ports):
        sys.exit(f"{len(told)} stood, with {len(ports)} ports of which {len(set(ports))} differ")
    if left := list(_left()):
        sys.exit(f"processes are left: {left}")
    return stood_s, len(ports)


def _job(name: str) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [OPSCTL, *UP, "--name", name, "--no-verify", "--", "sh", "-c", MEETS],
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def _left() -> Iterator[int]:
    """Yield the processes that bear that they are of this bench."""
    mine = os.environ["OPSCTL_STATE"]
    for pid in pids():
        at = environment_of(pid).get("OPSCTL_EPHEMERAL_AT", "")
        if at and Path(at).is_relative_to(mine):
            yield pid
