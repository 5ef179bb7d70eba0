"""The report of a drill, in Markdown: made of the recorded run alone."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from opsctl.drills.outcome import Drilled

FACTS, REPORT = "drill.json", "report.md"


def write(found: Drilled, folder: Path) -> Drilled:
    """Write the facts and their report into a run's folder; return the facts with its path."""
    found = found.model_copy(update={"report": str(folder / REPORT)})
    (folder / FACTS).write_text(found.model_dump_json(indent=2) + "\n", encoding="utf-8")
    (folder / REPORT).write_text(text(found), encoding="utf-8")
    return found


def text(found: Drilled) -> str:
    """Return the report."""
    return "\n".join(_lines(found)) + "\n"


def _lines(found: Drilled) -> Iterator[str]:
    yield f"# Drill {found.scenario} on {found.environment}: {found.verdict}"
    yield ""
    yield f"{found.title}. Run `{found.id}`."
    if found.rehearsal:
        yield f"\n**A rehearsal:** {found.rehearsal}."
    yield f"\n## Hypothesis\n\n{found.hypothesis}"
    if found.parameters:
        given = ", ".join(f"{name} = {value}" for name, value in found.parameters.items())
        yield f"\nParameters: {given}."
    yield "\n## Objective, goal and measurement\n"
    yield from _table(found)
    yield f"\nFailure domains: {found.failure_domains}."
    yield "\n## Timeline\n"
    yield "| ms from the fault | UTC | what |\n|---:|---|---|"
    for moment in found.timeline:
        yield f"| {moment.ms:.1f} | {moment.at:%H:%M:%S.%f} | {moment.what} |"
    yield "\n## Reconciliation\n"
    yield from _accounts(found)
    yield "\n## Rollback\n"
    yield (
        "Every fault was lifted and the steady state was seen again."
        if found.rolled_back
        else "**The steady state was not seen again after the rollback.**"
    )
    yield "\n## Findings\n"
    yield from (f"- {finding}" for finding in found.findings or ("None.",))
    yield "\n## Sign-off\n\n| role | name | date | signature |\n|---|---|---|---|"
    yield "| conducted by | | | |\n| reviewed by | | | |"


def _table(found: Drilled) -> Iterator[str]:
    measured, objective, goal = found.measured, found.objective, found.goal
    yield "| | objective | goal | measured |\n|---|---:|---:|---:|"
    yield (
        f"| RTO | {objective.rto_s * 1_000:g} ms | {goal.rto_ms:g} ms | {_ms(measured.rto_ms)} |"
    )
    yield f"| orders lost (RPO) | {objective.rpo_orders} | 0 | {measured.orders_lost} |"
    yield f"| orders duplicated | 0 | 0 | {measured.orders_duplicated} |"
    yield f"| detection | | | {_ms(measured.detection_ms)} |"
    yield f"| takeover, to the first acceptance | | | {_ms(measured.takeover_ms)} |"
    yield f"| gap in the client's acknowledgements | | | {_ms(measured.acknowledgement_gap_ms)} |"
    yield f"| orders acknowledged | | | {measured.orders_acknowledged} |"


def _accounts(found: Drilled) -> Iterator[str]:
    result = found.reconciliation
    if result is None:
        yield "The accounts could not be compared."
        return
    yield (
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
    for what, lines in named.items():
        yield f"\n{what}: {len(lines) or 'none'}"
        yield from (f"- {line}" for line in lines)


def _ms(value: float | None) -> str:
    return "not measured" if value is None else f"{value:.1f} ms"
