"""Runs a million seeds of the simulator, and writes what came out.

    make soak        (or: python -m tests.soak.simulator --seeds 1000000)

Resumable: every chunk of seeds is a line in `.cache/soak/simulator-CODE.jsonl`, where CODE is
the digest of the simulated code, and is not run again. The page goes to
docs/evidence/simulator.md, and beside it a line for every ten thousand seeds: where they were
committed by the same code, another machine goes on after them.
"""

from __future__ import annotations

import argparse
import sys
from collections.abc import Iterable
from datetime import UTC, datetime
from itertools import count, takewhile
from pathlib import Path

import msgspec

from opsctl.drills.simulator import simulate
from opsctl.drills.simulator.record import Counted, Heading, Record, code, heading
from tests.bench.__main__ import machine

SEEDS = 1_000_000
LINE = 10_000
"""Seeds that share a line of the committed record."""
EVERY = 10_000
PAGE = Path("docs/evidence/simulator.md")
RECORDS = PAGE.with_suffix(".jsonl")
Line = Heading | Counted


def raw() -> Path:
    """Return the record of this code."""
    return Path(f".cache/soak/simulator-{code()}.jsonl")


def committed() -> list[Counted]:
    """Return the whole lines from the first seed on that this code has in the committed record."""
    if not RECORDS.exists():
        return []
    by, *lines = (msgspec.json.decode(x, type=Line) for x in RECORDS.read_bytes().splitlines())
    if not isinstance(by, Heading) or by.code != code():
        return []
    whole = {line.first: line for line in lines if isinstance(line, Counted) and line.runs == LINE}
    return [whole[first] for first in takewhile(whole.__contains__, count(0, LINE))]


def gathered(chunks: Iterable[Counted]) -> list[Counted]:
    """Return one line for every so many seeds, of chunks in any order."""
    groups: dict[int, list[Counted]] = {}
    for chunk in chunks:
        groups.setdefault(chunk.first // LINE, []).append(chunk)
    return [
        Counted(
            first=min(c.first for c in some),
            runs=sum(c.runs for c in some),
            seconds=round(sum(c.seconds for c in some), 1),
            takeovers=sum(c.takeovers for c in some),
            accepted=sum(c.accepted for c in some),
            failed=tuple(sorted(seed for c in some for seed in c.failed)),
        )
        for _, some in sorted(groups.items())
    ]


def page(by: Heading, lines: list[Counted], wanted: int) -> str:
    """Return the evidence page."""
    runs = sum(line.runs for line in lines)
    failed = [seed for line in lines for seed in line.failed]
    processor_s = sum(line.seconds for line in lines)
    a_minute = runs / processor_s * 60 if processor_s else 0.0
    rest = "" if runs >= wanted else f" So far: {wanted - runs:,} of {wanted:,} are to come."
    return "\n".join(
        [
            "# The simulator, by the seed",
            "",
            f"Command: `python -m tests.soak.simulator --seeds {wanted}` (`make soak`).{rest}",
            f"Written {datetime.now(UTC):%Y-%m-%d}, by opsctl {by.release}.",
            f"Machine: {machine()}.",
            f"Ten thousand seeds a line: [{RECORDS.name}]({RECORDS.name}). docs/simulator.md says",
            "what happens in a run and what must hold.",
            "",
            "| | |",
            "|---|---|",
            f"| seeds | {lines[0].first:,} to {lines[0].first + runs - 1:,} |",
            f"| runs | {runs:,} |",
            f"| runs in which something did not hold | {len(failed):,} |",
            f"| takeovers | {sum(line.takeovers for line in lines):,} |",
            f"| orders that the venue accepted | {sum(line.accepted for line in lines):,} |",
            f"| runs a minute and process | {a_minute:,.0f} (beside whatever else ran) |",
            f"| digest of the simulated code | `{by.code}` |",
            *([f"| seeds that failed | {', '.join(map(str, failed[:20]))} |"] if failed else []),
            "",
            "Any seed again: `opsctl drill simulate --from SEED --seeds 1`. The digest is of the",
            "files of `apps/core`, `apps/execution` and `opsctl/drills/simulator`; runs of other",
            "code are not counted here.",
            "",
        ]
    )


def write(wanted: int) -> list[Counted]:
    """Write the page and the lines from what was run so far; return the lines."""
    known = committed()
    begun = len(known) * LINE
    lines = known + gathered(c for c in Record(raw()).known.values() if c.first >= begun)
    if not lines:
        return []
    PAGE.parent.mkdir(parents=True, exist_ok=True)
    PAGE.write_text(page(heading(), lines, wanted))
    RECORDS.write_bytes(b"".join(msgspec.json.encode(x) + b"\n" for x in (heading(), *lines)))
    print(PAGE.read_text())
    return lines


def run(wanted: int) -> None:
    """Run what is missing."""
    begun = len(committed()) * LINE
    shown = 0

    def told(done: int, failed: int) -> None:
        nonlocal shown
        if done - shown >= EVERY:
            shown = done
            print(f"-- {begun + done} of {wanted} seeds, {failed} failed", flush=True)

    simulate(begun, max(0, wanted - begun), told=told, record=raw())


def main() -> int:
    """Run what is missing, write the page; return 1 where a seed failed."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seeds", type=int, default=SEEDS)
    parser.add_argument("--page", action="store_true", help="write the page only")
    given = parser.parse_args()
    raw().parent.mkdir(parents=True, exist_ok=True)
    if not given.page:
        run(given.seeds)
    return 1 if any(line.failed for line in write(given.seeds)) else 0


if __name__ == "__main__":
    sys.exit(main())
