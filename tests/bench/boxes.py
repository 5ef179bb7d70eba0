"""How long an audit takes as the fleet grows: fake boxes, for which this machine works too.

Fifty are audited at first contact (asked twice: what they are, then what they hold) and again;
ten with Mitogen and without, for the ratio. The boxes read themselves on the same processors.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

from opsctl.provision.reaching import MITOGEN
from tests.bench.row import Row
from tests.bench.timing import OPSCTL
from tests.support import fleet as fleets
from tests.support.fleet import Fleet, Kind

BOXES, FEW = 50, 10
FORKS = 10


def measure() -> list[Row]:
    """Audit a fleet and return the figures."""
    if why := fleets.lacking():
        sys.exit(f"boxes cannot be measured: {why}")
    with fleets.fleet([Kind()] * BOXES) as fleet:
        inventory = fleet.inventory()
        first = _audited(inventory, fleet, BOXES)
        again = _audited(inventory, fleet, BOXES)
        plain = _audited(inventory, fleet, FEW)
        fast = _audited(inventory, fleet, FEW, **{MITOGEN: "1"})
    return [
        Row(f"audit of {BOXES} boxes, {FORKS} forks", "<= 60 s", f"{again:.1f} s"),
        Row(f"audit of {BOXES} boxes at first contact", "", f"{first:.1f} s"),
        Row(
            f"audit of {FEW} boxes by Ansible alone beside Mitogen",
            "< 1 x",
            f"{plain / fast:.2f} x ({plain:.1f} s, {fast:.1f} s)",
        ),
    ]


def _audited(inventory: Path, fleet: Fleet, count: int, **variables: str) -> float:
    """Return the seconds of one audit of the first boxes; stop where one could not be audited."""
    names = [box.name for box in fleet.boxes[:count]]
    words = [OPSCTL, "audit", "host", *names, "-i", str(inventory), "--forks", str(FORKS)]
    started = time.perf_counter()
    done = subprocess.run(
        [*words, "--output", "json"],
        capture_output=True,
        text=True,
        check=False,
        env={**os.environ, **variables},
    )
    spent = time.perf_counter() - started
    failed = [host for host in json.loads(done.stdout)["hosts"] if host["failure"]]
    if failed:
        sys.exit(f"{len(failed)} boxes could not be audited: {failed[0]['failure']}")
    return spent
