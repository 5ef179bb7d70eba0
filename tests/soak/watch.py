"""Watches the intraday tier under normal load for an hour: nobody may take over.

    make soak        (or: python -m tests.soak.watch --minutes 60)

Resumable: every piece of a few minutes is a line in docs/evidence/watch-intraday.jsonl, and is
not watched again. A piece counts the epochs that began, how often a site challenged the leader
and lost, and compares every account of its orders.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl.drills.accounts import Accounts
from opsctl.drills.comparing import compared
from opsctl.drills.shape import Load
from opsctl.drills.task import Bus, Task
from opsctl.drills.traffic import Traffic
from opsctl.state import toolchain_folder
from tests.bench.__main__ import machine
from tests.soak.recorded import Recorded, deployed, made_by
from tests.support.chaos import accounts_of
from tests.support.servers import folder

NAME = "intraday"
RATE_PER_S = 200.0
PIECE_MINUTES = 5.0
RECORDED = Recorded(Path("docs/evidence/watch-intraday.md"))
REFUSED = "the leader lives"
"""What an execution app logs when its challenge was refused."""


def piece(accounts: Accounts, minutes: float) -> dict[str, Any]:
    """Keep orders coming for some minutes; return what happened meanwhile."""
    began = datetime.now(UTC)
    since, before = accounts.begin(), accounts.overview()
    buses = tuple(Bus(site, *at) for site, at in accounts.buses().items())
    with folder() as kept:
        client = Traffic(
            Task(f"watch{uuid.uuid4().hex[:6]}", buses, Load(rate_per_s=RATE_PER_S)), kept
        )
        with client:
            time.sleep(minutes * 60)  # this is what is watched
        reconciled, unread = compared(accounts, client, since)
        after = accounts.overview()
        return {
            "at": f"{began:%Y-%m-%dT%H:%M:%SZ}",
            "minutes": minutes,
            "submitted": client.submitted(),
            "acknowledged": client.acknowledged(),
            "takeovers": epoch(after) - epoch(before),
            "refused_challenges": refused(accounts, began),
            "detection_ms": accounts.environment.detection_ms,
            "faults": [*unread, *(reconciled.faults if reconciled else ())],
        }


def epoch(seen: Any) -> int:
    """Return the epoch that leads, 0 where nobody ever did."""
    return seen.leader.epoch if seen.leader else 0


def refused(accounts: Accounts, since: datetime) -> int:
    """Return how often a site suspected the leader and was told that it lives."""
    target = accounts.target
    keys = [s.key for s in target.services() if s.name == "execution"]
    return sum(REFUSED in line.text for line in target.logs(keys, follow=False, since=since))


def page(pieces: list[dict[str, Any]]) -> str:
    """Return the evidence page."""
    detection = sorted({p["detection_ms"] for p in pieces})
    rows = {
        "minutes": f"{sum(p['minutes'] for p in pieces):g}",
        "orders submitted": sum(p["submitted"] for p in pieces),
        "orders acknowledged": sum(p["acknowledged"] for p in pieces),
        "takeovers (goal: 0)": sum(p["takeovers"] for p in pieces),
        "challenges that the leader refused": sum(p["refused_challenges"] for p in pieces),
        "disagreements of the accounts": sum(len(p["faults"]) for p in pieces),
        "detection time": f"{', '.join(map(str, detection))} ms",
    }
    lines = [
        "# An hour of normal load on the intraday tier",
        "",
        f"Command: `python -m tests.soak.watch`, {RATE_PER_S:g} orders a second and the replay.",
        f"Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        made_by(pieces),
        f"Every piece: [{RECORDED.evidence.name}]({RECORDED.evidence.name}).",
        "",
        "A leader that writes nothing for the detection time is challenged. A challenge is lost",
        "where it wrote after all and the challenger had only heard of it late.",
        "",
        "| | |",
        "|---|---:|",
        *(f"| {name} | {value} |" for name, value in rows.items()),
    ]
    return "\n".join(lines) + "\n"


def main() -> int:
    """Watch what is missing, write the page; return 1 where anybody took over."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--minutes", type=float, default=60.0)
    parser.add_argument("--piece", type=float, default=PIECE_MINUTES)
    given = parser.parse_args()
    os.environ.setdefault("OPSCTL_TOOLCHAIN", str(toolchain_folder()))

    def missing() -> float:
        return float(given.minutes - sum(p["minutes"] for p in RECORDED.runs()))

    if missing() > 0:
        with deployed(NAME):
            accounts = accounts_of(NAME)
            while (left := missing()) > 0:
                print(f"-- {left:g} of {given.minutes:g} minutes to be watched", flush=True)
                RECORDED.add(piece(accounts, min(left, given.piece)))
    pieces = RECORDED.runs()
    RECORDED.publish(page(pieces))
    print(RECORDED.page.read_text())
    return 1 if any(p["takeovers"] or p["faults"] for p in pieces) else 0


if __name__ == "__main__":
    sys.exit(main())
