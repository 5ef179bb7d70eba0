"""Takes every combination of tiers on AWS for tests through its whole life; writes what came out.

    make soak        (or: python -m tests.soak.clouds --only weekly-warm)

Each is made with a failure half-way, read back, previewed again, changed by one setting, changed
by hand, and taken away. Resumable: a finished combination is a line in docs/evidence/clouds.jsonl,
and is not made again unless a fault was found.
"""

from __future__ import annotations

import argparse
import os
import sys
import time
import traceback
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from opsctl.state import toolchain_folder
from tests.bench.__main__ import machine
from tests.soak.recorded import Recorded, made_by
from tests.support.aws.firm import firm
from tests.support.aws.story import Story
from tests.support.combinations import COMBINATIONS, Combination

KEPT = Recorded(Path("docs/evidence/clouds.md"))
STEPS: dict[str, Callable[[Story], object]] = {
    "made in two": Story.made_in_two,
    "as promised": Story.as_promised,
    "unchanged": Story.unchanged,
    "changed": Story.changed,
    "drifted": Story.drifted,
    "destroyed": Story.destroyed,
}


WHAT = """\
Pulumi's real engine and the types of `pulumi_aws`, against a server that stands in for AWS
([what that proves](../development.md)): no time here is one of AWS's. *Made in two*: a quota
stops the first deploy, and the second makes the rest and nothing twice. *As promised*: boto3
reads counts, encryption, networks, open ports, tags and addresses back, which are held against
the tiers. Then a preview without change, one setting that changes what it is of and nothing
besides, a change by hand that is found, and a removal that leaves nothing.""".splitlines()


def lived(one: Combination) -> dict[str, Any]:
    """Take a combination through every step; return what is kept of it."""
    took, fault, resources = dict[str, float](), "", 0
    with firm() as ours:
        story = Story(ours, one)
        for name, step in STEPS.items():
            started = time.monotonic()
            try:
                step(story)
            except (AssertionError, ValueError) as error:
                fault = f"{name}: {''.join(traceback.format_exception_only(error)).strip()}"
                break
            took[name] = round(time.monotonic() - started, 1)
        resources = story.resources
    return {"combination": one.name, "resources": resources, "seconds": took, "fault": fault}


def page(runs: list[dict[str, Any]]) -> str:
    """Return the evidence page."""
    last = {run["combination"]: run for run in runs}
    lines = [
        "# Environments on AWS, by latency tier and DR tier",
        "",
        f"Command: `python -m tests.soak.clouds` ({len(runs)} runs).",
        f"Written {datetime.now(UTC):%Y-%m-%d}.",
        f"Machine: {machine()}.",
        made_by(runs),
        f"Every run: [{KEPT.evidence.name}]({KEPT.evidence.name}).",
        "",
        *WHAT,
        "",
        "| combination | managed | regions | ephemeral | resources | " + " | ".join(STEPS) + " |",
        "|---|---|---|---|---|" + "---|" * len(STEPS),
    ]
    lines += [_row(one, last[name]) for name, one in COMBINATIONS.items() if name in last]
    if left := [name for name in COMBINATIONS if name not in last]:
        lines += ["", f"Not made yet: {', '.join(left)}."]
    faults = [f"- {name}: `{run['fault']}`" for name, run in last.items() if run["fault"]]
    return "\n".join([*lines, *(["", "Faults:", "", *faults] if faults else [])]) + "\n"


def _row(one: Combination, run: dict[str, Any]) -> str:
    managed = one.settings.get("database", {}).get("kind", "-")
    cells = [one.name, managed, str(len(one.regions)), "yes" if one.ephemeral else "-"]
    took = [f"{run['seconds'][step]:.0f} s" if step in run["seconds"] else "-" for step in STEPS]
    return "| " + " | ".join([*cells, str(run["resources"]), *took]) + " |"


def main() -> int:
    """Run what is missing, write the page; return 1 where a combination has a fault."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--only", action="append", choices=COMBINATIONS)
    wanted = parser.parse_args().only or list(COMBINATIONS)
    os.environ.setdefault("OPSCTL_TOOLCHAIN", str(toolchain_folder()))
    done = {run["combination"] for run in KEPT.runs() if not run["fault"]}
    for name in wanted:
        if name in done:
            continue
        print(f"-- {name}", flush=True)
        run = lived(COMBINATIONS[name])
        KEPT.add(run)
        KEPT.publish(page(KEPT.runs()))
        if run["fault"]:
            print(run["fault"][:2_000], flush=True)
    last = {run["combination"]: run for run in KEPT.runs()}
    print(KEPT.page.read_text())
    return 1 if any(run["fault"] for run in last.values()) else 0


if __name__ == "__main__":
    sys.exit(main())
