"""The life of one order as it is told; the JSON form is a contract."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime

from opsctl.model.value import Value


class Event(Value):
    """Something that happened to an order, and which account says so."""

    at: datetime | None
    """UTC; null where the account does not say when."""
    ms: float | None
    """From the fault; null where there was none, or no time is known."""
    account: str
    """`client`, `journal`, `venue`, `drop copy SITE`, `books SITE`."""
    site: str = ""
    epoch: int | None = None
    index: int | None = None
    """The journal's record."""
    what: str


class Doubt(Value):
    """A time in which nobody knew what the venue had made of an order."""

    opened: datetime
    cause: str
    settled: datetime | None = None
    how: str = ""
    """Empty where it was not settled within the recorded run."""


class Life(Value):
    """What a recorded run says of one order; times are UTC, null where it did not come to it."""

    run: str
    order: str
    decision: str = ""
    symbol: str = ""
    side: str = ""
    qty: int | None = None
    limit: str | None = None
    epoch: int | None = None
    """The epoch under which it was journaled."""
    site: str = ""
    """The site that led it."""
    decided: datetime | None = None
    journaled: datetime | None = None
    sent: datetime | None = None
    """When it was written to a session last."""
    accepted: datetime | None = None
    acknowledged: datetime | None = None
    filled: datetime | None = None
    """Of its last execution."""
    outcome: str
    """Its state in the books, else what the venue's record or the journal last said."""
    doubts: tuple[Doubt, ...] = ()
    events: tuple[Event, ...] = ()


def shown(events: Iterable[Event]) -> Iterator[tuple[str, str, str, str, str]]:
    """Yield events as a table shows them: ms, UTC, account, site and epoch, what."""
    for event in events:
        led = f"{event.site} / {event.epoch}" if event.epoch is not None else event.site
        yield (
            "" if event.ms is None else f"{event.ms:.3f}",
            "" if event.at is None else f"{event.at:%H:%M:%S.%f}",
            event.account,
            led,
            event.what,
        )
