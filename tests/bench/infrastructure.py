"""How long a cloud takes to plan and to make: Pulumi's real engine, on AWS for tests.

Nothing here is a time of AWS's. What the stand-in costs is told apart: its provider is a Python
program that the engine starts for every region and every run, where the real one is compiled,
and its server is moto.
"""

from __future__ import annotations

import os
import subprocess
import time
from pathlib import Path
from typing import Any

from tests.bench.row import Row
from tests.support.aws.firm import Firm, firm
from tests.support.combinations import COMBINATIONS, Combination

LARGEST = COMBINATIONS["daily-warm"]
SMALL, MIDDLE = COMBINATIONS["weekly-cold"], COMBINATIONS["intraday-hot"]
PEOPLE = tuple(f"10.20.{number}.0/24" for number in range(151))
"""Networks of a firm: each is one rule at each of two sites."""


def measure() -> list[Row]:
    """Plan, make and plan again; return the figures."""
    with firm() as ours:
        started = _started(ours)
        growing = [
            _planned(ours, SMALL),
            _planned(ours, MIDDLE),
            _planned(ours, MIDDLE, people=list(PEOPLE)),
        ]
        made = _largest(ours)
    each = ", ".join(f"{count}: {spent:.1f} s" for count, spent in growing)
    (few, first_s), (many, last_s) = growing[0], growing[-1]
    return [
        *made,
        Row("plan of something new, by its resources", "", each),
        Row(
            "and a further hundred resources",
            "",
            f"{(last_s - first_s) / (many - few) * 100:.1f} s",
        ),
        Row("of every run: the stand-in's provider starts, once a region", "", f"{started:.1f} s"),
    ]


def _largest(ours: Firm) -> list[Row]:
    name = LARGEST.name
    ours.write_combination(LARGEST)
    only = ("deploy", name, "--only", "infrastructure")
    before = _server_s(ours)
    up_s, done = _timed(ours, *only)
    count, server_s = len(done["changes"]), _server_s(ours) - before
    plan_s, _ = _timed(ours, "plan", name)
    again_s, _ = _timed(ours, *only)
    regions = len(LARGEST.regions) + 1
    return [
        Row(
            f"plan of a cloud of {count} resources in {regions} regions",
            "<= 8 s",
            f"{plan_s:.1f} s",
        ),
        Row("deploy of its infrastructure, nothing changed", "<= 15 s", f"{again_s:.1f} s"),
        Row("the first deploy of its infrastructure", "<= 90 s", f"{up_s:.1f} s"),
        Row("of which the stand-in's server", "", f"{server_s:.1f} s of a processor"),
    ]


def _planned(ours: Firm, one: Combination, **more: Any) -> tuple[int, float]:
    """Return how many resources a first plan has, and its seconds."""
    ours.write_combination(one, **more)
    spent, found = _timed(ours, "plan", one.name)
    return len(found["changes"]), spent


def _timed(ours: Firm, *words: str) -> tuple[float, Any]:
    started = time.perf_counter()
    found = ours.json(*words)
    return time.perf_counter() - started, found


def _server_s(ours: Firm) -> float:
    """Return the CPU seconds that the server has used so far."""
    fields = Path(f"/proc/{ours.server.process.pid}/stat").read_text().rpartition(")")[2].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def _started(ours: Firm) -> float:
    """Return the seconds until a provider of the tests takes calls."""
    program = ours.home / "provider-aws" / "pulumi-resource-aws"
    started = time.perf_counter()
    with subprocess.Popen([program], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        spent = time.perf_counter() - started
        process.terminate()
    return spent
