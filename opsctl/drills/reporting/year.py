"""What the report of a period says, and that of a drill that was repeated."""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.drills.outcome import Series
from opsctl.drills.period import Period
from opsctl.drills.reporting import plots
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

ROLES = ("prepared by", "reviewed by", "accepted by")


def of_period(found: Period) -> Document:
    """Return the report of a period."""
    every = found.tested
    where = found.environment or "all environments"
    missed = [each for each in every if not each.met]
    verdict = "passed" if every and not missed and not found.untested else "pending"
    return Document(
        title=f"Drills of {where}, {found.since:%Y-%m-%d} to {found.until:%Y-%m-%d}",
        verdict="failed" if missed else verdict,
        cards=(
            ("drills", str(found.runs)),
            ("scenarios tested", str(len({each.scenario for each in every}))),
            ("not tested", str(len(found.untested))),
            ("orders lost", str(sum(each.orders_lost for each in every))),
            ("duplicated", str(sum(each.orders_duplicated for each in every))),
        ),
        blocks=tuple(_period(found)),
    )


def _period(found: Period) -> Iterator[Block]:
    yield Text(
        "Tests of continuity as RTS 6 (Delegated Regulation (EU) 2017/589, article 14), "
        "Regulation SCI (17 CFR 242.1004) and DORA (Regulation (EU) 2022/2554, articles 11(6) "
        "and 24) ask for at least once a year, as far as drills of the order path are meant."
    )
    yield Heading("Against the objectives")
    yield Table(
        (
            *("scenario", "environment", "runs", "verdicts", "objective", "goal", "worst RTO"),
            *("acknowledged", "lost", "doubled", "not reconciled", "last", "met"),
        ),
        tuple(
            (
                each.scenario,
                each.environment,
                str(each.runs),
                ", ".join(f"{count} {verdict}" for verdict, count in each.verdicts.items()),
                "-" if each.objective_ms is None else f"{each.objective_ms:g} ms",
                "-" if each.goal_ms is None else f"{each.goal_ms:g} ms",
                ms(each.worst_rto_ms),
                str(each.orders_acknowledged),
                str(each.orders_lost),
                str(each.orders_duplicated),
                str(each.unreconciled),
                f"{each.last:%Y-%m-%d}",
                "yes" if each.met else "no",
            )
            for each in found.tested
        ),
        right=frozenset((2, 4, 5, 6, 7, 8, 9, 10)),
    )
    yield Heading("Not passed in the period")
    yield Bullets(found.untested) if found.untested else Text("Every scenario was.")
    yield Heading("Runs")
    yield Table(
        ("run", "UTC", "scenario", "environment", "verdict", "RTO", "lost", "evidence (SHA-256)"),
        tuple(
            (
                run.run,
                f"{run.at:%Y-%m-%d %H:%M}",
                each.scenario,
                each.environment,
                run.verdict,
                ms(run.rto_ms),
                str(run.orders_lost),
                run.evidence[:16] or "-",
            )
            for each in found.tested
            for run in each.conducted
        ),
        right=frozenset((5, 6)),
    )
    yield Heading("Sign-off")
    yield Table(("role", "name", "date", "signature"), tuple((role, "", "", "") for role in ROLES))


def of_series(found: Series) -> Document:
    """Return the report of a drill that was repeated."""
    whole = found.summary
    return Document(
        title=f"Drill {found.scenario} on {found.environment}, {whole.runs} runs: {found.verdict}",
        verdict=found.verdict,
        cards=(
            ("passed", f"{whole.passed} of {whole.runs}"),
            ("RTO p50", ms(whole.p50_ms)),
            ("p99", ms(whole.p99_ms)),
            ("max", ms(whole.max_ms)),
            ("lost", str(whole.orders_lost)),
            ("duplicated", str(whole.orders_duplicated)),
        ),
        blocks=tuple(_series(found)),
    )


def _series(found: Series) -> Iterator[Block]:
    first = found.runs[0]
    if first.rehearsal:
        yield Text(f"A rehearsal: {first.rehearsal}.", strong=True)
    yield Heading("Distribution")
    took = [run.measured.rto_ms for run in found.runs if run.measured.rto_ms is not None]
    yield plots.distribution(took, first.goal.rto_ms) or Text("No recovery time was measured.")
    yield Heading("Runs")
    yield Table(
        ("run", "verdict", "RTO", "detection", "takeover", "acknowledged", "lost", "doubled"),
        tuple(
            (
                run.id,
                run.verdict,
                ms(run.measured.rto_ms),
                ms(run.measured.detection_ms),
                ms(run.measured.takeover_ms),
                str(run.measured.orders_acknowledged),
                str(run.measured.orders_lost),
                str(run.measured.orders_duplicated),
            )
            for run in found.runs
        ),
        right=frozenset(range(2, 8)),
    )
    yield Heading("Findings")
    findings = [(run.id, finding, "", "") for run in found.runs for finding in run.findings]
    yield Table(("run", "finding", "owner", "due"), tuple(findings)) if findings else Text("None.")
    yield Heading("Evidence")
    yield Table(("run", "SHA-256"), tuple((run.id, run.evidence or "-") for run in found.runs))
    yield Code((f"opsctl drill report {first.id}",))
