"""The drills of a period, by the evidence log, against the objectives.

RTS 6 (article 14), Regulation SCI (§ 242.1004) and DORA (articles 11(6) and 24) ask for tests
of continuity at least once a year: which were made, what they came to, and which were not.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Literal

from pydantic import ValidationError

from opsctl.drills.outcome import Drilled, Verdict
from opsctl.errors import UsageError
from opsctl.evidence.line import Line
from opsctl.model.value import Value

if TYPE_CHECKING:
    from opsctl.drills.scenario import Scenario

_SPAN = re.compile(r"([1-9][0-9]{0,3})([dwmy])")


class Conducted(Value):
    """One run of the period."""

    run: str
    at: datetime
    verdict: Verdict
    rto_ms: float | None
    orders_acknowledged: int
    orders_lost: int
    orders_duplicated: int
    evidence: str
    """The SHA-256 of the recorded run's manifest; empty where it has none."""


class Tested(Value):
    """The runs of one scenario on one environment against its objective."""

    scenario: str
    environment: str
    runs: int
    verdicts: dict[str, int]
    objective_ms: float | None
    goal_ms: float | None
    worst_rto_ms: float | None
    orders_acknowledged: int
    orders_lost: int
    orders_duplicated: int
    unreconciled: int
    last: datetime
    met: bool
    """Whether a run has passed and none that came to its end has failed."""
    conducted: tuple[Conducted, ...]


class Period(Value):
    """The drills of a period."""

    kind: Literal["period"] = "period"
    since: datetime
    until: datetime
    environment: str | None
    """None where it is of all environments."""
    runs: int
    tested: tuple[Tested, ...]
    untested: tuple[str, ...]
    """Scenarios of the catalogue that have not passed in the period, but those that not every
    target has."""


def since(span: str, until: datetime) -> datetime:
    """Return when a period that ends `until` began: `12m`, `90d`, `4w`, `1y`; `UsageError`."""
    found = _SPAN.fullmatch(span)
    if found is None:
        raise UsageError(f"--period {span} is no span of time", hint="such as 12m, 90d, 4w or 1y")
    count, unit = int(found[1]), found[2]
    if unit in "dw":
        return until - timedelta(days=count * (7 if unit == "w" else 1))
    months = until.year * 12 + until.month - 1 - count * (12 if unit == "y" else 1)
    if months < 12:
        raise UsageError(f"--period {span} begins before every calendar", hint="such as 12m")
    year, month = divmod(months, 12)
    for day in range(until.day, 27, -1):  # the 31st of a month that has none
        try:
            return until.replace(year=year, month=month + 1, day=day)
        except ValueError:
            continue
    return until.replace(year=year, month=month + 1)


def period(
    lines: Iterable[Line],
    catalogue: Sequence[Scenario],
    *,
    began: datetime,
    until: datetime,
    environment: str | None,
) -> Period:
    """Return the drills of a period that the evidence log has."""
    groups: dict[tuple[str, str], list[tuple[Line, Drilled | None]]] = {}
    for line in lines:
        if line.command != "drill" or not began <= line.at <= until:
            continue
        if environment not in (None, line.environment):
            continue
        key = (str(line.arguments.get("scenario", "")), line.environment or "")
        groups.setdefault(key, []).append((line, _drilled(line)))
    tested = tuple(_tested(*key, runs) for key, runs in sorted(groups.items()))
    passed = {each.scenario for each in tested if each.verdicts.get("passed")}
    return Period(
        since=began,
        until=until,
        environment=environment,
        runs=sum(each.runs for each in tested),
        tested=tested,
        untested=tuple(s.name for s in catalogue if s.name not in passed and not s.named_only),
    )


def _drilled(line: Line) -> Drilled | None:
    """Return what a run came to; None where it was killed, or another release wrote it."""
    known = {name: line.result[name] for name in Drilled.model_fields if name in line.result}
    try:
        return Drilled.model_validate(known)
    except ValidationError:
        return None


def _tested(scenario: str, environment: str, runs: Sequence[tuple[Line, Drilled | None]]) -> Tested:
    conducted = tuple(_conducted(line, found) for line, found in runs)
    known = [found for _, found in runs if found is not None]
    verdicts: dict[str, int] = {}
    for one in conducted:
        verdicts[one.verdict] = verdicts.get(one.verdict, 0) + 1
    begun = [found for found in known if found.verdict not in ("blocked", "pending")]
    return Tested(
        scenario=scenario,
        environment=environment,
        runs=len(runs),
        verdicts=dict(sorted(verdicts.items())),
        objective_ms=known[-1].objective.rto_s * 1_000 if known else None,
        goal_ms=known[-1].goal.rto_ms if known else None,
        worst_rto_ms=max((c.rto_ms for c in conducted if c.rto_ms is not None), default=None),
        orders_acknowledged=sum(c.orders_acknowledged for c in conducted),
        orders_lost=sum(c.orders_lost for c in conducted),
        orders_duplicated=sum(c.orders_duplicated for c in conducted),
        unreconciled=sum(
            not (f.measured.positions_reconciled and f.measured.open_orders_reconciled)
            for f in begun
        ),
        last=max(c.at for c in conducted),
        met=bool(verdicts.get("passed")) and not verdicts.get("failed"),
        conducted=conducted,
    )


def _conducted(line: Line, found: Drilled | None) -> Conducted:
    measured = found.measured if found else None
    return Conducted(
        run=line.run,
        at=line.at.astimezone(UTC),
        verdict=found.verdict if found else "interrupted",
        rto_ms=measured.rto_ms if measured else None,
        orders_acknowledged=measured.orders_acknowledged if measured else 0,
        orders_lost=measured.orders_lost if measured else 0,
        orders_duplicated=measured.orders_duplicated if measured else 0,
        evidence=found.evidence if found else "",
    )
