"""Runs the survival rounds of the daily tier many times, and writes what came out.

    make soak        (or: python -m tests.soak --rounds 20)

Resumable: every finished round is a line in docs/evidence/survival-daily.jsonl, and a round that
stands there is not run again.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl.state import toolchain_folder
from tests.bench.__main__ import machine
from tests.soak.recorded import OPSCTL, Recorded, deployed, made_by, opsctl
from tests.support import chaos
from tests.support.chaos import Outcome
from tests.support.servers import folder

KEPT = Recorded(Path("docs/evidence/survival-daily.md"))
NAME = "daily"


def each_in_turn(_: int) -> Outcome:
    """Kill every process in turn."""
    with deployed(NAME):
        return chaos.kill_each_in_turn(NAME)


def all_at_once(_: int) -> Outcome:
    """Kill every process at once, and deploy again."""
    with deployed(NAME):
        return chaos.kill_all_at_once(NAME, lambda: opsctl("deploy", NAME, "--no-verify"))


def deploy_killed(number: int) -> Outcome:
    """Kill `opsctl deploy` at an instant of its own for each round, and deploy again."""
    instant_s = random.Random(number).uniform(0.3, 9.0)
    with folder() as state:
        os.environ["OPSCTL_STATE"] = str(state)
        victim = subprocess.Popen(
            [OPSCTL, "deploy", NAME, "--no-verify"],
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        try:
            victim.wait(instant_s)
        except subprocess.TimeoutExpired:
            victim.send_signal(signal.SIGKILL)
            victim.wait()
        started = time.monotonic()
        opsctl("deploy", NAME, "--no-verify")
        recovery_s = time.monotonic() - started
        try:
            found = chaos.watch(NAME)
        finally:
            opsctl("destroy", NAME, "--yes")
    return Outcome(
        killed=(f"opsctl deploy after {instant_s:.1f} s",),
        submitted=found.submitted,
        acknowledged=found.acknowledged,
        executions=found.executions,
        slowest_recovery_s=round(recovery_s, 2),
        faults=found.faults,
    )


KINDS: dict[str, Callable[[int], Outcome]] = {
    "each process in turn": each_in_turn,
    "all processes at once": all_at_once,
    "opsctl deploy": deploy_killed,
}


def page(rounds: list[dict[str, Any]]) -> str:
    """Return the evidence page."""
    lines = [
        "# Survival of the daily tier",
        "",
        f"Command: `make soak` ({len(rounds)} rounds). Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        made_by(rounds),
        f"Every round: [{KEPT.evidence.name}]({KEPT.evidence.name}).",
        "",
        "A client keeps 20 decisions a second (two orders each) flowing while processes are",
        "killed with SIGKILL. Afterwards the venue's record, the journal's projection in",
        "PostgreSQL and what the client was acknowledged are compared, order by order.",
        "",
        "| killed | rounds | orders acknowledged | executions | slowest recovery | faults |",
        "|---|---|---|---|---|---|",
    ]
    for kind in KINDS:
        mine = [r for r in rounds if r["kind"] == kind]
        acknowledged = sum(int(str(r["acknowledged"])) for r in mine)
        executions = sum(int(str(r["executions"])) for r in mine)
        slowest = max((float(str(r["slowest_recovery_s"])) for r in mine), default=0.0)
        faults = sum(len(r["faults"]) for r in mine if isinstance(r["faults"], list))
        lines.append(
            f"| {kind} | {len(mine)} | {acknowledged} | {executions} | {slowest:.1f} s | {faults} |"
        )
    return "\n".join(lines) + "\n"


def main() -> int:
    """Run what is missing, write the page; return 1 where a round found a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=20)
    wanted: int = parser.parse_args().rounds
    os.environ.setdefault("OPSCTL_TOOLCHAIN", str(toolchain_folder()))
    for kind, run in KINDS.items():
        done = sum(1 for r in KEPT.runs() if r["kind"] == kind)
        for number in range(done, wanted):
            print(f"-- {kind}: round {number + 1} of {wanted}", flush=True)
            outcome = run(number)
            KEPT.add({"kind": kind, "round": number, **asdict(outcome)})
            if outcome.faults:
                print("\n".join(outcome.faults[:20]))
    rounds = KEPT.runs()
    KEPT.publish(page(rounds))
    print(KEPT.page.read_text())
    return 1 if any(r["faults"] for r in rounds) else 0


if __name__ == "__main__":
    sys.exit(main())
