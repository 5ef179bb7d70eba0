"""What FIX sessions carry, as values: events of a session, messages as their fields."""

from __future__ import annotations

import re
from collections.abc import Iterable
from dataclasses import dataclass

SOH = "\x01"
Pair = tuple[int, str]

_TOO_LOW = re.compile(r"too low\D*(\d+)", re.IGNORECASE)
"""FIX 4.4 has no field for it; the words are those of QuickFIX, and of most other engines."""
_TAGS = {str(tag): tag for tag in range(1, 10_000)}
"""Tags as they are written: a look costs half of what reading the number does."""
USER_DEFINED = 5_000
"""Tags from here on are the venue's own, and never part of a repeating group."""


class Tag:
    """The venue's own tags, on its market-data messages."""

    FROM_SEQ = 5001
    """MarketDataRequest: the first market-data sequence wanted."""
    SEQ = 5002
    """X: the market-data sequence of the replayed day."""
    RELEASE_SEQ = 5003
    """MarketDataRequest at replay speed 0: this day is settled, send the next."""
    RECORD = 5004
    """Reports of the venue: the line of its record that this one tells of."""


@dataclass(frozen=True, slots=True)
class Logon:
    """A session is logged on."""

    session: str


@dataclass(frozen=True, slots=True)
class Logout:
    """A session is logged out or its connection is gone.

    `reason` is what the counterparty said with it; `expecting` the MsgSeqNum that it wants
    where it said that ours was too low, else 0.
    """

    session: str
    reason: str = ""

    @property
    def expecting(self) -> int:
        """The MsgSeqNum that the counterparty wants, where it said so."""
        found = _TOO_LOW.search(self.reason)
        return int(found[1]) if found else 0


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a session, copied out of the engine.

    `session` is the firm's CompID (the counterparty's for an acceptor, ours for an
    initiator), `seq` MsgSeqNum, `pairs` the fields in their order, header included.
    """

    session: str
    msg_type: str
    seq: int
    poss_dup: bool
    pairs: tuple[Pair, ...]

    def get(self, tag: int, default: str = "") -> str:
        """Return the first value of a tag."""
        return next((value for found, value in self.pairs if found == tag), default)

    def fields(self) -> dict[int, str]:
        """Return the first value of every tag."""
        return dict(reversed(self.pairs))

    def group(self, count: int, first: int) -> list[dict[int, str]]:
        """Return the entries of a repeating group: `count` is its NoXxx tag, `first` its first."""
        entries: list[dict[int, str]] = []
        inside = False
        for tag, value in self.pairs:
            if tag == count:
                inside = True
            elif inside and tag == first:
                entries.append({tag: value})
            elif entries and tag != 10 and tag < USER_DEFINED:
                entries[-1].setdefault(tag, value)
        return entries


Event = Logon | Logout | Received


def parse(raw: str) -> tuple[Pair, ...]:
    """Return the fields of a raw message in their order."""
    pairs = [field.partition("=") for field in raw.split(SOH) if field]
    return tuple([(_TAGS.get(tag) or int(tag), value) for tag, _, value in pairs])


def compose(msg_type: str, pairs: Iterable[Pair]) -> str:
    """Return a raw message of a type; the engine adds the session's header when it sends."""
    body = f"35={msg_type}{SOH}" + "".join(f"{tag}={value}{SOH}" for tag, value in pairs)
    head = f"8=FIX.4.4{SOH}9={len(body)}{SOH}{body}"
    return f"{head}10={sum(head.encode()) % 256:03d}{SOH}"
