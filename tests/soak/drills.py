"""Repeats every drill on the intraday tier, and writes what came out.

    make soak        (or: python -m tests.soak.drills --runs 20)

Resumable: every finished run is a line in `.cache/soak/drills.jsonl`, and is not run again.
The table goes to docs/evidence/drills-intraday.md, every run beside it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl.drills.measurement import percentile
from opsctl.state import toolchain_folder
from tests.bench.__main__ import machine
from tests.soak.__main__ import OPSCTL, opsctl
from tests.support.servers import folder

NAME = "intraday"
SCENARIOS: dict[str, tuple[str, ...]] = {
    "leader-kill": (),
    "leader-freeze": ("--set", "hold_s=5"),
    "site-loss": ("--set", "hold_s=5"),
    "planned-handover": (),
    "partition-sites": ("--set", "hold_s=5"),
}
RUNS = Path(".cache/soak/drills.jsonl")
PAGE = Path("docs/evidence/drills-intraday.md")
RECORDS = PAGE.with_suffix(".jsonl")
HEAD = (
    "| drill | runs | passed | goal | RTO p50 | p99 | max | acknowledged | lost | doubled "
    "| not reconciled |"
)
KEPT = ("id", "scenario", "verdict", "parameters", "goal", "measured", "findings")


@contextmanager
def deployed() -> Iterator[None]:
    """Deploy the environment from nothing, and destroy it afterwards."""
    with folder() as state:
        os.environ["OPSCTL_STATE"] = str(state)
        opsctl("deploy", NAME, "--no-verify")
        try:
            yield
        finally:
            opsctl("destroy", NAME, "--yes")


def run(scenario: str) -> dict[str, Any]:
    """Run a drill once; return what is kept of it."""
    words = ("drill", "run", scenario, NAME, *SCENARIOS[scenario], "--output", "json")
    done = subprocess.run([OPSCTL, *words], capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"opsctl {' '.join(words)} exited {done.returncode}:\n{done.stderr}")
    return {key: found[key] for key in KEPT}


def finished() -> list[dict[str, Any]]:
    """Return the runs that were made already."""
    return [json.loads(line) for line in RUNS.read_text().splitlines()] if RUNS.exists() else []


def page(runs: list[dict[str, Any]]) -> str:
    """Return the evidence page."""
    lines = [
        "# Drills of the intraday tier",
        "",
        f"Command: `make soak` ({len(runs)} runs, 200 orders a second).",
        f"Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        f"Every run: [{RECORDS.name}]({RECORDS.name}). docs/drills.md says what is measured.",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    lines += [_row(name, [r for r in runs if r["scenario"] == name]) for name in SCENARIOS]
    return "\n".join(lines) + "\n"


def _row(name: str, runs: list[dict[str, Any]]) -> str:
    measured = [r["measured"] for r in runs]
    took = [m["rto_ms"] for m in measured if m["rto_ms"] is not None]
    goal = runs[0]["goal"]["rto_ms"] if runs else None
    cells = (
        name,
        len(runs),
        sum(r["verdict"] == "passed" for r in runs),
        _ms(goal),
        _ms(percentile(took, 0.5)),
        _ms(percentile(took, 0.99)),
        _ms(max(took, default=None)),
        sum(m["orders_acknowledged"] for m in measured),
        sum(m["orders_lost"] for m in measured),
        sum(m["orders_duplicated"] for m in measured),
        sum(not (m["positions_reconciled"] and m["open_orders_reconciled"]) for m in measured),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def main() -> int:
    """Run what is missing, write the page; return 1 where a drill did not pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=20)
    wanted: int = parser.parse_args().runs
    os.environ.setdefault("OPSCTL_TOOLCHAIN", str(toolchain_folder()))
    RUNS.parent.mkdir(parents=True, exist_ok=True)
    missing = {name: wanted - sum(r["scenario"] == name for r in finished()) for name in SCENARIOS}
    if any(count > 0 for count in missing.values()):
        with deployed():
            for name, count in missing.items():
                for number in range(count):
                    print(f"-- {name}: {number + 1} of {count}", flush=True)
                    with RUNS.open("a") as out:
                        out.write(json.dumps(run(name)) + "\n")
    runs = finished()
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(runs))
    RECORDS.write_text(RUNS.read_text())
    print(PAGE.read_text())
    return 1 if any(r["verdict"] != "passed" for r in runs) else 0


if __name__ == "__main__":
    sys.exit(main())
