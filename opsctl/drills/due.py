"""Which drills are due, by the evidence of those that were run; pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime, timedelta
from typing import Any, get_args

from opsctl.drills.outcome import Verdict
from opsctl.evidence.line import Entry
from opsctl.model import window
from opsctl.model.environment import Environment
from opsctl.model.value import Value

COMPLETED: frozenset[Verdict] = frozenset({"passed", "failed"})
"""Verdicts of runs that say something of the platform."""


class Due(Value):
    """One scenario, when it was last run, and when it is due. Times are UTC but `window_at`."""

    scenario: str
    title: str
    last_at: datetime | None
    """When it was last run to its end; null where it never was."""
    last_verdict: Verdict | None
    due_at: datetime
    """A period after it passed; now, where it has not, or has failed since."""
    due: bool
    window_at: datetime
    """The first moment from then on that lies in the window, in the environment's time zone."""


class Schedule(Value):
    """What `drill schedule` prints."""

    environment: str
    timezone: str
    window: str
    every_days: int
    scenarios: tuple[Due, ...]
    """The one that is due first comes first."""


def schedule(
    environment: Environment,
    titles: Mapping[str, str],
    evidence: Iterable[Entry],
    *,
    identity: str | None,
    now: datetime,
) -> Schedule:
    """Return what is due of an environment's scenarios.

    `titles` has every scenario at hand, `evidence` the lines of the log; those of another
    environment that bore the same name (by `identity`, where it is known) do not count.
    """
    drills = environment.drills
    runs = _runs(environment.name, identity, evidence)
    found = [
        _due(environment, name, titles.get(name, ""), runs.get(name, []), now)
        for name in drills.scenarios or sorted(titles)
    ]
    return Schedule(
        environment=environment.name,
        timezone=environment.timezone,
        window=drills.window,
        every_days=drills.every_days,
        scenarios=tuple(sorted(found, key=lambda due: due.due_at)),
    )


Ran = tuple[datetime, Verdict]


def _runs(name: str, identity: str | None, evidence: Iterable[Entry]) -> dict[str, list[Ran]]:
    """Return when each scenario was run to its end, and how that came out."""
    found: dict[str, list[Ran]] = {}
    for line in evidence:
        if line.command != "drill" or line.environment != name:
            continue
        if identity is not None and line.identity not in (None, identity):
            continue
        verdict = _verdict(line.result)
        if verdict in COMPLETED:
            found.setdefault(str(line.arguments.get("scenario")), []).append((line.at, verdict))
    return found


def _verdict(result: Mapping[str, Any]) -> Verdict | None:
    said = result.get("verdict")
    return next((verdict for verdict in get_args(Verdict) if verdict == said), None)


def _due(environment: Environment, name: str, title: str, runs: list[Ran], now: datetime) -> Due:
    at, verdict = max(runs) if runs else (None, None)
    due_at = now
    if at is not None and verdict == "passed":
        due_at = at + timedelta(days=environment.drills.every_days)
    begins = max(due_at, now).astimezone(environment.zone)
    return Due(
        scenario=name,
        title=title,
        last_at=at,
        last_verdict=verdict,
        due_at=due_at,
        due=due_at <= now,
        window_at=window.next_opening(environment.drills.window, begins),
    )
