"""What a report tells of the time around the fault: single orders, and lines of the logs."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime
from pathlib import Path

from opsctl.drills import measurement
from opsctl.drills.outcome import Drilled
from opsctl.drills.recording import files, reading
from opsctl.drills.recording.files import Window
from opsctl.drills.recording.life import lives
from opsctl.drills.recording.story import Life, shown
from opsctl.drills.recording.tally import Tally
from opsctl.drills.reporting.document import Block, Code, Folded, Table, Text

TELLING = 18
"""Orders around the fault whose lives a report tells."""
EXCERPT = 60
"""Lines of the log that a report shows."""


def telling(folder: Path, found: Drilled, counted: Tally) -> Iterator[Block]:
    """Yield the table of the orders around the fault, and the life of each."""
    chosen = counted.telling(TELLING)
    if not chosen:
        yield Text("The fault did not strike.")
        return
    told = list(lives(folder, chosen).values())
    yield Table(
        ("order", "decided", "journaled by", "sent", "accepted", "acknowledged", "doubt", "state"),
        tuple(_row(each, counted.window) for each in told),
        right=frozenset((1, 3, 4, 5)),
        anchors=tuple(f"order-{each.order}" for each in told),
    )
    yield Text(
        "Times in ms from the fault. Those that were in doubt, the last before the fault and "
        f"the first after it; of the {len(counted.decided_ns)} orders of the run every one can "
        "be looked up:"
    )
    yield Code((f"opsctl drill show {found.id} --order {told[0].order}" if told else "",))
    for each in told:
        yield Folded(
            f"{each.order}: {each.side} {each.qty} {each.symbol}, {each.outcome}",
            f"order-{each.order}",
            (
                Table(
                    ("ms", "UTC", "account", "site / epoch", "what"),
                    tuple(shown(each.events)),
                    right=frozenset((0,)),
                ),
            ),
        )


def _row(each: Life, window: Window) -> tuple[str, ...]:
    def since(at: datetime | None) -> str:
        if at is None:
            return "-"
        return f"{measurement.ms(window.fault_ns, round(at.timestamp() * 1e6) * 1_000):.1f}"

    doubt = "; ".join(
        f"{d.cause} → {d.how or 'not settled in the recorded run'}" for d in each.doubts
    )
    return (
        each.order,
        since(each.decided),
        f"{each.site}, epoch {each.epoch}" if each.epoch is not None else "-",
        since(each.sent),
        since(each.accepted),
        since(each.acknowledged),
        doubt or "none",
        each.outcome,
    )


def excerpt(folder: Path, window: Window | None) -> Iterator[Block]:
    """Yield what the services said before the fault and after it."""
    every: list[reading.LogLine] = list(reading.lines(folder / files.LOGS, reading.LogLine))
    if not every:
        yield Text("Nothing was recorded of it.")
        return
    fault_ns = window.fault_ns if window else 0
    before = [line for line in every if line.at_ns < fault_ns][-EXCERPT // 6 :]
    after = [line for line in every if line.at_ns >= fault_ns][: EXCERPT - len(before)]
    some = [*before, *after]
    origin = fault_ns or some[0].at_ns
    yield Code(
        tuple(
            f"{measurement.ms(origin, line.at_ns):>10.1f} ms  {line.service}  {line.text}"
            for line in some
        )
    )
    yield Text(f"{len(some)} of {len(every)} lines; {files.LOGS} has all of them, without secrets.")
