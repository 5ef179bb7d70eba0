"""Two hours of random faults under load on the intraday tier, memory and open files watched.

    make soak        (or: python -m tests.soak.long --seconds 7200 --seed 7)

Each leg is one drill of a scenario that the seed chooses, under bursts, several strategies,
partial fills and resting orders; before and after it what every service uses is noted.
Resumable: every leg is a line in docs/evidence/long-intraday.jsonl, and is not made again; a
deployment that was made anew is judged by itself.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from opsctl.drills.scenario import load, names
from opsctl.state import toolchain_folder
from tests.bench.__main__ import machine
from tests.soak import growth
from tests.soak.growth import FDS_BOUND_H, JUDGED_S, RSS_BOUND_MB_H, WARM_S, Slope, slopes
from tests.soak.recorded import OPSCTL, Recorded, deployed, made_by
from tests.support.chaos import accounts_of

NAME = "intraday"
RECORDED = Recorded(Path("docs/evidence/long-intraday.md"))
SECONDS = 7_200.0
SHALLOW = ("--set", "settings.venue.depth_shares=300")
"""Shares that the venue quotes: what is larger is filled in part."""
LOAD = {
    "rate_per_s": 100,
    "burst_orders": 60,
    "burst_every_s": 1,
    "strategies": 3,
    "resting_share": 0.1,
    "shares_max": 600,
}
HOLD_S = (2, 15)
IN_VAIN = 5
"""Legs in a row that could not begin, after which the soak gives up."""
KEPT = ("id", "verdict", "parameters", "measured", "findings")


def chosen(seed: int, number: int) -> tuple[str, list[str]]:
    """Return the scenario of a leg, and its settings as options."""
    random = Random(f"{seed}:{number}")
    name = random.choice(names())
    settings = {"hold_s": random.randint(*HOLD_S), "seed": seed + number}
    known = load(name).parameters
    given = [word for k, v in settings.items() if k in known for word in ("--set", f"{k}={v}")]
    shape = LOAD | {"seed": seed + number}
    return name, [*given, *(word for k, v in shape.items() for word in ("--load", f"{k}={v}"))]


def leg(seed: int, number: int, deployment: str, began_s: float) -> dict[str, Any]:
    """Drill once; return what came out, and what every service used before and after."""
    target = accounts_of(NAME).target
    name, words = chosen(seed, number)
    print(f"-- leg {number}: {name}", flush=True)
    started, at = time.monotonic(), datetime.now(UTC)
    before = growth.sampled(target, began_s)
    command = [OPSCTL, "drill", "run", name, NAME, *words, "--output", "json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"{' '.join(command)} exited {done.returncode}:\n{done.stderr}")
    return {
        "leg": number,
        "seed": seed,
        "deployment": deployment,
        "at": f"{at:%Y-%m-%dT%H:%M:%SZ}",
        "seconds": round(time.monotonic() - started, 1),
        "scenario": name,
        "words": words,
        **{key: found[key] for key in KEPT},
        "before": before,
        "after": growth.sampled(target, began_s),
    }


def faults(legs: Sequence[Mapping[str, Any]]) -> list[str]:
    """Return what was lost, doubled, not reconciled, or has grown."""
    found = [
        f"leg {each['leg']}, {each['scenario']}: {'; '.join(each['findings'])}"
        for each in legs
        if each["verdict"] not in ("passed", "blocked")
    ]
    grown = [slope for of in _deployments(legs).values() for slope in of if slope.grows]
    return found + [
        f"{slope.service} grows by {slope.rss_mb_h} MB and {slope.fds_h} files an hour"
        for slope in grown
    ]


def page(legs: Sequence[Mapping[str, Any]], wanted_s: float, seed: int) -> str:
    """Return the evidence page."""
    ran = [each for each in legs if each["verdict"] != "blocked"]
    measured = [each["measured"] for each in ran]
    done_s = sum(each["seconds"] for each in legs)
    rest = "" if done_s >= wanted_s else f" So far: {wanted_s - done_s:.0f} s are to come."
    unreconciled = sum(
        not (m["positions_reconciled"] and m["open_orders_reconciled"]) for m in measured
    )
    found = faults(legs)
    lines = [
        "# A long run of the intraday tier",
        "",
        f"Command: `python -m tests.soak.long --seconds {wanted_s:g} --seed {seed}`.{rest}",
        f"Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        made_by(legs),
        f"Every leg: [{RECORDED.evidence.name}]({RECORDED.evidence.name}). Load:",
        f"`{' '.join(f'{k}={v}' for k, v in LOAD.items())}`, of leg n by seed {seed} + n.",
        "",
        "| | |",
        "|---|---:|",
        f"| duration | {done_s:.0f} s |",
        f"| legs (drills) | {len(ran)} |",
        f"| passed | {sum(each['verdict'] == 'passed' for each in ran)} |",
        f"| could not begin | {len(legs) - len(ran)} |",
        f"| orders acknowledged | {sum(m['orders_acknowledged'] for m in measured)} |",
        f"| lost | {sum(m['orders_lost'] for m in measured)} |",
        f"| doubled | {sum(m['orders_duplicated'] for m in measured)} |",
        f"| drills with an account that disagrees | {unreconciled} |",
        "",
        *([f"- {each}" for each in found] or [_nothing(legs)]),
        "",
        "## Faults",
        "",
        "| scenario | drills | passed | longest RTO |",
        "|---|---:|---:|---:|",
        *(_row(name, ran) for name in sorted({each["scenario"] for each in ran})),
        "",
        "## Memory and open files",
        "",
        f"From {WARM_S:g} s after each deployment on; the slope is the median of those between all",
        f"pairs of samples (Theil and Sen), judged from {JUDGED_S:g} s on. Bounds:",
        f"{RSS_BOUND_MB_H:g} MB and {FDS_BOUND_H:g} files an hour.",
    ]
    for number, (deployment, of) in enumerate(_deployments(legs).items(), 1):
        lines += [
            "",
            f"Deployment {number} (`{deployment}`):",
            "",
            "| service | MB, first | last | an hour | files, first | last | an hour |",
            "|---|---:|---:|---:|---:|---:|---:|",
            *(
                f"| {s.service} | {s.rss_mb[0]:.0f} | {s.rss_mb[1]:.0f} | {_rate(s.rss_mb_h)} "
                f"| {s.fds[0]} | {s.fds[1]} | {_rate(s.fds_h)} |"
                for s in of
            ),
        ]
    return "\n".join(lines) + "\n"


def _nothing(legs: Sequence[Mapping[str, Any]]) -> str:
    judged = any(s.rss_mb_h is not None for of in _deployments(legs).values() for s in of)
    growth_said = "Nothing has grown" if judged else "The run is too short to judge growth"
    return f"Nothing failed. {growth_said}."


def _deployments(legs: Sequence[Mapping[str, Any]]) -> dict[str, list[Slope]]:
    found: dict[str, list[Mapping[str, Any]]] = {}
    for each in legs:
        found.setdefault(each["deployment"], []).append(each)
    return {name: slopes(growth.gathered(some)) for name, some in found.items()}


def _row(name: str, legs: Sequence[Mapping[str, Any]]) -> str:
    mine = [each for each in legs if each["scenario"] == name]
    took = [m["rto_ms"] for m in (each["measured"] for each in mine) if m["rto_ms"] is not None]
    passed = sum(each["verdict"] == "passed" for each in mine)
    return f"| {name} | {len(mine)} | {passed} | {f'{max(took):.0f} ms' if took else '-'} |"


def _rate(an_hour: float | None) -> str:
    return "too short" if an_hour is None else f"{an_hour:+.1f}"


def main() -> int:
    """Make the legs that are missing, write the page; return 1 where anything failed or grew."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS)
    parser.add_argument("--seed", type=int, default=7)
    given = parser.parse_args()
    os.environ.setdefault("OPSCTL_TOOLCHAIN", str(toolchain_folder()))

    def missing() -> float:
        return float(given.seconds - sum(each["seconds"] for each in RECORDED.runs()))

    if missing() > 0:
        with deployed(NAME, *SHALLOW):
            deployment, began_s, in_vain = uuid.uuid4().hex[:8], time.monotonic(), 0
            while missing() > 0:
                made = leg(given.seed, len(RECORDED.runs()), deployment, began_s)
                RECORDED.add(made)
                in_vain = in_vain + 1 if made["verdict"] == "blocked" else 0
                if in_vain == IN_VAIN:
                    sys.exit(f"no leg could begin {IN_VAIN} times: {made['findings']}")
    legs = RECORDED.runs()
    RECORDED.publish(page(legs, given.seconds, given.seed))
    print(RECORDED.page.read_text())
    return 1 if faults(legs) else 0


if __name__ == "__main__":
    sys.exit(main())
