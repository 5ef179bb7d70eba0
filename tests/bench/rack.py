"""How long a preview of a rack takes: every server is read, on fake boxes of this machine.

The boxes read themselves on the same processors. They are provisioned for real before, four at
a time, so that the preview finds nothing to change.
"""

from __future__ import annotations

import sys
import time

from tests.bench.row import Row
from tests.support import fleet as fleets
from tests.support.fleet import Kind
from tests.support.racks import Rack
from tests.support.servers import folder

SERVERS = 50


def measure() -> list[Row]:
    """Deploy a rack, preview it, and return the figures."""
    if why := fleets.lacking():
        sys.exit(f"a rack cannot be measured: {why}")
    with fleets.fleet([Kind(taken=True)] * SERVERS) as fleet, folder() as home:
        rack = Rack(home / "firm", fleet)
        rack.write()
        deployed = _timed(rack, "deploy", "rack", "--only", "infrastructure")
        previewed = _timed(rack, "plan", "rack")
        changes = rack.json("plan", "rack")["changes"]
        if changes:
            sys.exit(f"a rack that was just deployed has {len(changes)} changes: {changes[0]}")
    return [
        Row(f"preview of {SERVERS} servers, all read", "<= 60 s", f"{previewed:.1f} s"),
        Row(f"deploy of {SERVERS} servers, small profile", "", f"{deployed:.1f} s"),
    ]


def _timed(rack: Rack, *words: str) -> float:
    started = time.perf_counter()
    rack.run(*words)
    return time.perf_counter() - started
