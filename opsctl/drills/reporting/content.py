"""What the report of one drill says, from its recorded run alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

from opsctl.drills import measurement
from opsctl.drills.measurement import percentile
from opsctl.drills.outcome import Drilled, Recovery
from opsctl.drills.recording import files, reading
from opsctl.drills.recording.files import Manifest
from opsctl.drills.recording.tally import Tally, tally
from opsctl.drills.reporting import around, plots
from opsctl.drills.reporting.document import (
    Block,
    Bullets,
    Code,
    Document,
    Heading,
    Table,
    Text,
    ms,
)

RECOVERIES: dict[Recovery, str] = {
    "takeover": "from the last to the first acceptance",
    "longest-gap": "the longest time without an acceptance",
    "after-lift": "from the end of the fault to the first acceptance",
}
NAMED = 200
"""Differences that a report names; the recorded run has all of them."""
ROLES = ("conducted by", "reviewed by", "accepted by")


def document(folder: Path, changed: Sequence[str]) -> Document:
    """Return the report of a recorded run, of which `changed` is not as it was sealed.

    Raises `OpsctlError` where the folder holds none.
    """
    found = reading.facts(folder)
    seal = files.manifest(folder)
    window = reading.window(folder)
    counted = tally(folder, window) if window else None
    measured = found.measured
    return Document(
        title=f"Drill {found.scenario} on {found.environment}: {found.verdict}",
        verdict=found.verdict,
        cards=(
            ("RTO", ms(measured.rto_ms)),
            ("detection", ms(measured.detection_ms)),
            ("takeover", ms(measured.takeover_ms)),
            ("orders acknowledged", str(measured.orders_acknowledged)),
            ("lost", str(measured.orders_lost)),
            ("duplicated", str(measured.orders_duplicated)),
        ),
        blocks=tuple(_blocks(folder, found, seal, counted, changed)),
    )


def _blocks(
    folder: Path, found: Drilled, seal: Manifest, counted: Tally | None, changed: Sequence[str]
) -> Iterator[Block]:
    yield Text(f"{found.title}. Run {found.id}.")
    if changed:
        yield Text("This recorded run is not as it was sealed, and proves nothing:", strong=True)
        yield Bullets(tuple(changed))
    if found.rehearsal:
        yield Text(f"A rehearsal: {found.rehearsal}.", strong=True)
    yield Heading("Hypothesis")
    yield Text(found.hypothesis)
    if found.parameters:
        given = ", ".join(f"{name} = {value}" for name, value in found.parameters.items())
        yield Text(f"Parameters: {given}.")
    yield Heading("Objective, goal and measurement")
    yield _figures(found, counted)
    yield Text(f"Failure domains: {found.failure_domains}.")
    yield Heading("Timeline")
    yield from _timeline(found, counted)
    if counted is not None:
        yield Heading("Orders before, during and after")
        yield from _phases(counted)
    yield Heading("Reconciliation")
    yield from _accounts(found, seal, counted)
    yield Heading("What was lost")
    yield from _lost(found)
    if counted is not None:
        yield Heading("Orders around the fault")
        yield from around.telling(folder, found, counted)
    yield Heading("What the services said")
    yield from around.excerpt(folder, counted.window if counted else None)
    yield Heading("Rollback")
    yield Text(
        "Every fault was lifted and the steady state was seen again."
        if found.rolled_back
        else "The steady state was not seen again after the rollback.",
        strong=not found.rolled_back,
    )
    yield Heading("Findings")
    yield _findings(found)
    yield Heading("Sign-off")
    yield Table(("role", "name", "date", "signature"), tuple((role, "", "", "") for role in ROLES))
    yield Heading("Evidence")
    yield from _evidence(folder, found, seal)


def _figures(found: Drilled, counted: Tally | None) -> Table:
    measured, objective, goal = found.measured, found.objective, found.goal
    asked = measured.acknowledgement_gap_ms
    first = None
    if counted is not None and counted.outage is not None:
        first = measurement.ms(counted.window.fault_ns, counted.outage[1])
    return Table(
        ("", "objective", "goal", "measured"),
        (
            (
                f"RTO, {RECOVERIES[counted.window.recovery]}" if counted else "RTO",
                f"{objective.rto_s * 1_000:g} ms",
                f"{goal.rto_ms:g} ms",
                ms(measured.rto_ms),
            ),
            ("orders lost (RPO)", str(objective.rpo_orders), "0", str(measured.orders_lost)),
            ("orders duplicated", "0", "0", str(measured.orders_duplicated)),
            ("detection, from the fault", "", "", ms(measured.detection_ms)),
            ("takeover, from there to the first acceptance", "", "", ms(measured.takeover_ms)),
            ("first order accepted again, from the fault", "", "", ms(first)),
            (
                "first order acknowledged that was decided after the fault",
                "",
                "",
                ms(_first_acknowledged(counted)),
            ),
            ("gap in the client's acknowledgements", "", "", ms(asked)),
            ("orders submitted", "", "", str(measured.orders_submitted)),
            ("orders acknowledged", "", "", str(measured.orders_acknowledged)),
        ),
        right=frozenset((1, 2, 3)),
    )


def _first_acknowledged(counted: Tally | None) -> float | None:
    if counted is None or not counted.window.fault_ns:
        return None
    fault_ns = counted.window.fault_ns
    told = (
        at_ns
        for order, at_ns in counted.acknowledged_ns.items()
        if counted.decided_ns.get(order, 0) >= fault_ns
    )
    first = min(told, default=None)
    return None if first is None else measurement.ms(fault_ns, first)


def _timeline(found: Drilled, counted: Tally | None) -> Iterator[Block]:
    if len(found.timeline) > 1:
        yield plots.moments([moment.ms for moment in found.timeline])
    yield Table(
        ("", "ms from the fault", "UTC", "what"),
        tuple(
            (str(number), f"{moment.ms:.3f}", f"{moment.at:%Y-%m-%d %H:%M:%S.%f}", moment.what)
            for number, moment in enumerate(found.timeline, start=1)
        ),
        right=frozenset((0, 1)),
    )
    if counted is None or not counted.window.fault_ns:
        return
    sessions: dict[str, list[int]] = {}
    for one in counted.accepted:
        sessions.setdefault(one.session, []).append(one.at_ns)
    window = counted.window
    drawn = plots.acceptances(
        sorted(sessions.items()), window.fault_ns, counted.outage, window.ended_ns
    )
    if drawn is not None:
        yield drawn


def _phases(counted: Tally) -> Iterator[Block]:
    rows = []
    for phase in counted.phases():
        waits = phase.waits_ms
        rows.append(
            (
                phase.name,
                *map(
                    str,
                    (phase.decided, phase.acknowledged, phase.accepted, phase.executed),
                ),
                str(phase.doubted),
                *(
                    "-" if value is None else f"{value:.1f} ms"
                    for value in (
                        percentile(waits, 0.5),
                        percentile(waits, 0.99),
                        max(waits, default=None),
                    )
                ),
            )
        )
    yield Table(
        (
            "decided",
            "orders",
            "acknowledged",
            "accepted",
            "executed",
            "in doubt",
            "wait p50",
            "p99",
            "max",
        ),
        tuple(rows),
        right=frozenset(range(1, 9)),
    )
    yield Text(
        "Accepted and executed are by the venue's own record; the wait is from an order's "
        "decision to its acknowledgement. An order that was decided before the fault and not "
        "answered was in doubt, and is told of below."
    )
    steps = {"reenter": "entered again", "decline": "declined", "hold": "held in doubt"}
    settled = ", ".join(f"{counted.steps[step]} {said}" for step, said in steps.items())
    yield Text(
        f"{len(counted.doubted)} orders were in doubt. Of those that the venue did not know: "
        f"{settled}. {counted.withheld} journaled orders were withheld."
    )


def _accounts(found: Drilled, seal: Manifest, counted: Tally | None) -> Iterator[Block]:
    if counted is not None:
        yield Table(
            ("account of the drill's orders", "orders", "executions", "bought", "sold", "USD"),
            tuple(
                (
                    each.name,
                    str(each.orders),
                    *(
                        ("", "", "", "")
                        if each is counted.accounts[0]
                        else (
                            str(each.executions),
                            str(each.bought),
                            str(each.sold),
                            f"{each.value_usd:.2f}",
                        )
                    ),
                )
                for each in counted.accounts
            ),
            right=frozenset(range(1, 6)),
        )
        yield Text(
            "A drop copy tells of executions alone: its orders are those that were executed. "
            "The books have refused orders, too."
        )
    for account, why in seal.missing.items():
        yield Text(f"Not recorded: {account}: {why}", strong=True)
    result = found.reconciliation
    if result is None:
        yield Text("The accounts could not be compared.")
        return
    yield Text(
        f"{result.orders_acknowledged} acknowledged orders: the client, the journal, the books "
        "and the drop copy of both sites and the venue's own record were compared order by "
        "order, executions and positions included."
    )
    named = {
        "lost": result.lost,
        "duplicated": result.duplicated,
        "positions": result.positions,
        "open orders": result.open_orders,
    }
    yield Table(
        ("differences that lasted", "count"),
        tuple((what, str(len(lines)) if lines else "none") for what, lines in named.items()),
        right=frozenset((1,)),
    )
    for what, lines in named.items():
        if lines and what != "lost":
            yield Text(f"{what}:")
            yield _some(lines)


def _lost(found: Drilled) -> Iterator[Block]:
    result = found.reconciliation
    if result is None:
        yield Text("Not known: the accounts could not be compared.", strong=True)
    elif result.lost:
        yield Text("These orders and executions are not accounted for:", strong=True)
        yield _some(result.lost)
    else:
        yield Text(
            f"Nothing: every one of the {result.orders_acknowledged} orders that the client was "
            "told of is accounted for, and so is every execution."
        )


def _some(lines: tuple[str, ...]) -> Bullets:
    left = len(lines) - NAMED
    more = (f"and {left} more: {files.FACTS} has all of them",) if left > 0 else ()
    return Bullets((*lines[:NAMED], *more))


def _findings(found: Drilled) -> Block:
    if not found.findings:
        return Text("None.")
    rows = tuple(
        (str(number), finding, "", "") for number, finding in enumerate(found.findings, start=1)
    )
    return Table(("", "finding", "owner", "due"), rows)


def _evidence(folder: Path, found: Drilled, seal: Manifest) -> Iterator[Block]:
    yield Table(
        ("what", "version"),
        tuple(seal.versions.items()),
    )
    yield Table(
        ("what", "SHA-256"),
        (
            ("the evidence as a whole (manifest.json)", files.evidence_of(folder)),
            ("the environment that was drilled", seal.environment_sha256),
            *((name, one.sha256) for name, one in sorted(seal.files.items())),
        ),
    )
    yield Text(
        f"Identity of the environment: {seal.identity or 'none'}. The first of these hashes "
        "stands in the line of this run in the evidence log. docs/check-a-drill.md has a script "
        "that recomputes the verdict from the recorded run without opsctl; these make the "
        "report again:"
    )
    yield Code((f"opsctl drill report {found.id}", f"opsctl evidence show {found.id}"))
