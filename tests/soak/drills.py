"""Repeats every drill on the intraday tier, and writes what came out.

    make soak        (or: python -m tests.soak.drills --runs 200 --only leader-kill)
    python -m tests.soak.drills --target docker --runs 5

Resumable: every finished run is a line in docs/evidence/drills-intraday.jsonl (of containers:
drills-intraday-docker.jsonl), and is not made again; the table stands beside it. A leader freezes
for the 30 s of its scenario; the site is lost as often without the journal's leading member as
with it.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from opsctl.drills.measurement import percentile
from opsctl.images.engine import connected
from opsctl.state import images_folder, toolchain_folder
from tests.bench.__main__ import machine
from tests.soak.recorded import OPSCTL, Recorded, deployed, made_by, opsctl

NAME = "intraday"
AT_ONCE = 5
"""Runs of one command: a soak that is killed has to make no more of them again."""
IN_VAIN = 3
"""Commands in a row without a run that could begin, after which the soak gives up."""
RECORDED = {
    "local": Recorded(Path("docs/evidence/drills-intraday.md")),
    "docker": Recorded(Path("docs/evidence/drills-intraday-docker.md")),
}
KEPT = ("id", "scenario", "verdict", "parameters", "goal", "measured", "findings")
HEAD = (
    "| drill | runs | passed | goal | met | RTO p50 | p99 | max | acknowledged | lost | doubled "
    "| not reconciled | not begun |"
)


class Kind(NamedTuple):
    """A scenario and how it is set; `says` is what tells it from others of the scenario."""

    scenario: str
    settings: Mapping[str, bool | float] = {}
    says: Mapping[str, bool | float] = {}
    on: str = ""
    """The only target that has it; empty: every one."""
    live_restore: bool | None = None
    """How the engine has to be set up for it, if that matters."""

    def is_of(self, run: Mapping[str, Any]) -> bool:
        """Whether a run is one of these."""
        parameters: dict[str, Any] = run["parameters"]
        return bool(run["scenario"] == self.scenario and self.says.items() <= parameters.items())

    def words(self, made: int) -> list[str]:
        """Return the settings as options of the command, after so many runs of it.

        What a seed composes is another drill each time, in this soak and not in the next.
        """
        seed = {"seed": float(made + 1)} if self.scenario == "random" else {}
        given = {**self.settings, **self.says, **seed}
        return [word for k, v in given.items() for word in ("--set", f"{k}={_written(v)}")]


HELD = {"hold_s": 5.0}
KINDS = (
    Kind("leader-kill"),
    Kind("leader-freeze", says={"hold_s": 30.0}),
    Kind("site-loss", HELD, {"etcd_leader": True}),
    Kind("site-loss-etcd-leader", HELD),
    Kind("planned-handover"),
    Kind("failback"),
    Kind("double-fault"),
    Kind("partition-sites", HELD),
    Kind("partition-witness", HELD),
    Kind("one-way-partition", HELD),
    Kind("flapping"),
    Kind("slow-link", HELD),
    Kind("feed-loss", HELD),
    Kind("bus-loss", HELD),
    Kind("database-loss", HELD),
    Kind("journal-member-loss", HELD),
    Kind("journal-quorum-loss", HELD),
    Kind("venue-disconnect", HELD),
    Kind("venue-restart"),
    Kind("disk-full", HELD),
    Kind("fix-store-full", HELD),
    Kind("slow-disk"),
    Kind("clock-step", HELD),
    Kind("site-unplugged", HELD),
    Kind("firewall-reject", HELD),
    Kind("narrow-uplink", HELD),
    Kind("uplink-loss", HELD, on="docker"),
    Kind("throttled-disk", HELD, on="docker"),
    Kind("scratch-full", HELD, on="docker"),
    Kind("memory-short", HELD, on="docker"),
    Kind("engine-restart", HELD, on="docker", live_restore=True),
    Kind("engine-loss", HELD, on="docker", live_restore=False),
    Kind("random"),
)


def of_target(target: str) -> tuple[Kind, ...]:
    """Return the drills that a target has."""
    return tuple(kind for kind in KINDS if kind.on in ("", target))


def begun(kind: Kind, runs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Return the runs of a kind that could begin: only they say anything of the platform."""
    return [run for run in runs if kind.is_of(run) and run["verdict"] != "blocked"]


def repeat(kind: Kind, count: int, made: int) -> list[dict[str, Any]]:
    """Run a drill so many times more; return what is kept of each."""
    words = ["drill", "run", kind.scenario, NAME, *kind.words(made)]
    words += ["--repeat", str(count), "--output", "json"]
    done = subprocess.run([OPSCTL, *words], capture_output=True, text=True, check=False)
    try:
        found = json.loads(done.stdout)
    except ValueError:
        sys.exit(f"opsctl {' '.join(words)} exited {done.returncode}:\n{done.stderr}")
    return [{key: run[key] for key in KEPT} for run in found.get("runs", [found])]


def page(runs: list[dict[str, Any]], target: str = "local") -> str:
    """Return the evidence page."""
    recorded, command = RECORDED[target], "python -m tests.soak.drills"
    if target != "local":
        command += f" --target {target}"
    lines = [
        f"# Drills of the intraday tier{', in containers' if target == 'docker' else ''}",
        "",
        f"Command: `{command}` ({len(runs)} runs, 200 orders a second).",
        f"Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        made_by(runs),
        f"Every run: [{recorded.evidence.name}]({recorded.evidence.name}). docs/drills.md says",
        "what is measured.",
        "",
        HEAD,
        "|---|---|---|---|---|---|---|---|---|---|---|---|---|",
    ]
    kinds = of_target(target)
    made = [kind for kind in kinds if any(map(kind.is_of, runs))]
    lines += [_row(kind, runs) for kind in made]
    if left := [kind.scenario for kind in kinds if kind not in made]:
        lines += ["", f"Not made yet: {', '.join(left)}."]
    return "\n".join(lines) + "\n"


def _row(kind: Kind, every: list[dict[str, Any]]) -> str:
    runs = begun(kind, every)
    measured = [r["measured"] for r in runs]
    took = [m["rto_ms"] for m in measured if m["rto_ms"] is not None]
    cells = (
        kind.scenario,
        len(runs),
        sum(r["verdict"] == "passed" for r in runs),
        _ms(runs[0]["goal"]["rto_ms"] if runs else None),
        sum(bool(r["goal"]["met"]) for r in runs),
        _ms(percentile(took, 0.5)),
        _ms(percentile(took, 0.99)),
        _ms(max(took, default=None)),
        sum(m["orders_acknowledged"] for m in measured),
        sum(m["orders_lost"] for m in measured),
        sum(m["orders_duplicated"] for m in measured),
        sum(not (m["positions_reconciled"] and m["open_orders_reconciled"]) for m in measured),
        sum(kind.is_of(r) for r in every) - len(runs),
    )
    return "| " + " | ".join(map(str, cells)) + " |"


def _ms(value: float | None) -> str:
    return "-" if value is None else f"{value:.0f} ms"


def _written(value: bool | float) -> str:
    return str(value).lower() if isinstance(value, bool) else f"{value:g}"


def fill(kind: Kind, wanted: int, recorded: Recorded) -> None:
    """Make the runs of a kind that are missing."""
    in_vain = 0
    while (missing := wanted - len(begun(kind, recorded.runs()))) > 0:
        print(f"-- {kind.scenario}: {missing} of {wanted} to be made", flush=True)
        found = repeat(kind, min(AT_ONCE, missing), wanted - missing)
        for run in found:
            recorded.add(run)
        in_vain = 0 if begun(kind, found) else in_vain + 1
        if in_vain == IN_VAIN:
            sys.exit(f"{kind.scenario} could not begin {IN_VAIN} times: {found[-1]['findings']}")


def fits(kind: Kind, target: str) -> bool:
    """Return whether the engine, where there is one, is set up for a drill; say where not."""
    if target != "docker" or kind.live_restore is None:
        return True
    with connected() as engine:
        live: bool = engine.info["LiveRestoreEnabled"]
    if live is not kind.live_restore:
        wants = "without" if live else "with"
        print(f"-- {kind.scenario}: needs an engine {wants} live-restore")
    return live is kind.live_restore


def main() -> int:
    """Run what is missing, write the page; return 1 where a drill did not pass."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--runs", type=int, default=200)
    parser.add_argument("--target", choices=sorted(RECORDED), default="local")
    parser.add_argument(
        "--only", action="append", choices=sorted({k.scenario for k in KINDS}), metavar="SCENARIO"
    )
    given = parser.parse_args()
    wanted: int = given.runs
    target: str = given.target
    recorded = RECORDED[target]
    os.environ.setdefault("OPSCTL_TOOLCHAIN", str(toolchain_folder()))
    os.environ.setdefault("OPSCTL_IMAGES", str(images_folder()))
    chosen = [k for k in of_target(target) if given.only is None or k.scenario in given.only]
    lacking = [kind for kind in chosen if len(begun(kind, recorded.runs())) < wanted]
    if lacking := [kind for kind in lacking if fits(kind, target)]:
        if target == "docker":
            opsctl("images", "build")
        with deployed(NAME, "--target", target):
            for kind in lacking:
                fill(kind, wanted, recorded)
    runs = recorded.runs()
    recorded.publish(page(runs, target))
    print(recorded.page.read_text())
    every = [run for kind in KINDS for run in begun(kind, runs)]
    return 1 if any(run["verdict"] != "passed" for run in every) else 0


if __name__ == "__main__":
    sys.exit(main())
