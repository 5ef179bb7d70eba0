"""The docker target beside the local one in the same minutes: deployment, tick to order, drills.

The engine is that of `DOCKER_HOST`; without one a dockerd of our own is started for it (root).
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import NamedTuple

from opsctl.state import images_folder
from tests.bench.row import Row
from tests.bench.timing import OPSCTL, opsctl_json, timed
from tests.soak.recorded import deployed, opsctl
from tests.support import engine as engines

TARGETS = ("local", "docker")
DRILLS = {"leader-kill": (), "leader-freeze": ("--set", "hold_s=3")}
RUNS = 5
"""Of each drill and target in a round."""


class Measured(NamedTuple):
    """What one target came to in a round."""

    first_s: float
    """From built images, or from nothing, to healthy."""
    again_s: float
    p50_ms: float
    p99_ms: float
    """From a tick to the order that it caused."""
    rto_ms: dict[str, list[float]]


def measure(rounds: int) -> list[Row]:
    """Deploy and drill on one target and on the other, in turn, and return the figures."""
    os.environ.setdefault("OPSCTL_IMAGES", str(images_folder()))
    found: dict[str, list[Measured]] = {target: [] for target in TARGETS}
    with engine():
        opsctl("images", "build")
        for _ in range(rounds):
            for target in TARGETS:
                found[target].append(_one(target))
    both = [found[target] for target in TARGETS]
    docker = found["docker"]
    rows = [
        Row(
            "containers: daily from built images to healthy",
            "<= 25 s",
            f"{median(m.first_s for m in docker):.1f} s",
        ),
        Row(
            "containers: deploy daily again, nothing changed",
            "<= 2 s",
            f"{median(m.again_s for m in docker):.2f} s",
        ),
        _beside("tick to order (intraday), p50", "", *([m.p50_ms for m in t] for t in both)),
        _beside("tick to order (intraday), p99", "", *([m.p99_ms for m in t] for t in both)),
    ]
    for name in DRILLS:
        times = ([rto for m in target for rto in m.rto_ms[name]] for target in both)
        rows.append(_beside(f"{name}, RTO p50 of {RUNS * rounds}", "<= 1.5 x", *times))
    return rows


def _beside(name: str, goal: str, *times: list[float]) -> Row:
    """Return the medians of both targets in ms, and their ratio."""
    local, docker = map(median, times)
    return Row(
        f"containers beside processes: {name}",
        goal,
        f"{docker / local:.2f} x ({docker:.2f} ms, {local:.2f} ms)",
    )


def _one(target: str) -> Measured:
    words = ("--target", target, "--no-verify")
    with deployed("daily", "--target", target):
        again_s = timed(OPSCTL, "deploy", "daily", *words, rounds=3)
        timed(OPSCTL, "destroy", "daily", "--yes")
        first_s = timed(OPSCTL, "deploy", "daily", *words)
    with deployed("intraday", "--target", target):
        latency = opsctl_json("verify", "intraday")["latency"]
        rto_ms = {name: _drilled(name, given) for name, given in DRILLS.items()}
    p50_ms, p99_ms = (latency[name] / 1e3 for name in ("p50_us", "p99_us"))
    return Measured(first_s, again_s, p50_ms, p99_ms, rto_ms)


def _drilled(name: str, given: tuple[str, ...]) -> list[float]:
    """Return the RTO of each run; stop where one did not pass."""
    runs = opsctl_json("drill", "run", name, "intraday", *given, "--repeat", str(RUNS))["runs"]
    for run in runs:
        if run["verdict"] != "passed":
            sys.exit(f"{name} {run['verdict']}: {run['findings']}")
    return [float(run["measured"]["rto_ms"]) for run in runs]


@contextlib.contextmanager
def engine() -> Iterator[None]:
    """Have an engine at `DOCKER_HOST` until the block ends; stop where there can be none."""
    if os.environ.get("DOCKER_HOST") or Path("/var/run/docker.sock").exists():
        yield
        return
    if why := engines.lacking():
        sys.exit(f"containers cannot be measured: {why}")
    with engines.running("--log-level=warn") as engine:
        os.environ["DOCKER_HOST"] = engine.address
        try:
            yield
        finally:
            del os.environ["DOCKER_HOST"]
