"""Snapshots of what holds data in a cloud: which are there, which are missing, which are past.

Values and decisions; `opsctl.infra.aws.snapshots` asks AWS.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from datetime import date, datetime
from typing import Literal

from opsctl.model.value import Value

EVERY_S = 5.0
"""How often is looked how far snapshots are: AWS tells nobody."""


class Source(Value):
    """What a snapshot can be taken of."""

    kind: Literal["volume", "database"]
    resource: str
    """As the stack declares it: `trading-a-data`, `database`."""
    id: str
    """As AWS calls it: the volume's id, the database's identifier."""
    region: str
    site: str = ""


class Snapshot(Value):
    """A snapshot of this environment, known by its tags."""

    id: str
    name: str
    """Of the set that was taken together."""
    kind: Literal["volume", "database"]
    resource: str
    source: str
    region: str
    state: Literal["running", "completed", "failed"]
    percent: int
    size_gb: int
    made: datetime
    expires: date | None
    """The last day on which it is kept; null: it is not known, and it is never pruned."""
    by: str
    """Who took it, as AWS knows them."""


class StackSnapshots(Value):
    """The result of `opsctl stack snapshot`: all of an environment, the newest first."""

    environment: str
    snapshots: tuple[Snapshot, ...]
    taken: tuple[str, ...] = ()
    """Ids of those that this command took."""
    pruned: tuple[str, ...] = ()
    """Ids of those that this command deleted."""
    running: tuple[str, ...] = ()
    """Ids of those of its set that were not completed when it stopped waiting."""


def missing(
    sources: Sequence[Source], there: Iterable[Snapshot], name: str
) -> tuple[tuple[Source, Snapshot | None], ...]:
    """Return what a set lacks a snapshot of, each with the one that failed, if one did."""
    of_set = {one.source: one for one in there if one.name == name}
    found = ((source, of_set.get(source.id)) for source in sources)
    return tuple((source, one) for source, one in found if one is None or one.state == "failed")


def past(there: Iterable[Snapshot], today: date) -> tuple[Snapshot, ...]:
    """Return those to delete: their last day is over, and a later one of the same is completed.

    The last completed one stays, however old: a job that stopped taking any must not end with none.
    """
    newest: dict[str, Snapshot] = {}
    every = sorted(there, key=lambda one: (one.made, one.id))
    for one in every:
        if one.state == "completed":
            newest[one.source] = one
    return tuple(
        one
        for one in every
        if one.expires is not None
        and one.expires < today
        and one.state != "running"
        and newest.get(one.source) not in (None, one)
    )


def awaited(
    look: Callable[[], Sequence[Snapshot]],
    name: str,
    within_s: float,
    say: Callable[[str], None],
    pause: Callable[[float], None] = time.sleep,
) -> Sequence[Snapshot]:
    """Return all snapshots, once none of the set runs any more or the time is over."""
    until, told = time.monotonic() + within_s, dict[str, int]()
    while True:
        found = look()
        running = [one for one in found if one.name == name and one.state == "running"]
        for one in running:
            if told.get(one.id) != one.percent:
                say(f"{one.resource}: {one.percent}% ({one.id})")
            told[one.id] = one.percent
        left = until - time.monotonic()
        if not running or left <= 0:
            return found
        pause(min(EVERY_S, left))
