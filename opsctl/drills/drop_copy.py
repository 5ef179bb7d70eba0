"""The drop copy of each site as its log has it: FIX messages, read with the standard library.

Neither the platform's parser nor its state machines are used, so that what they make of
the same messages can be compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from decimal import Decimal, InvalidOperation
from pathlib import Path

from opsctl.drills.record import Executed, Key

_SIDES = {"1": "buy", "2": "sell"}


@dataclass
class DropCopy:
    """What a site's drop copy told of executions."""

    site: str
    executions: dict[Key, Executed] = field(default_factory=dict)
    contradicted: list[Key] = field(default_factory=list)
    """Told again with other content; told again alike is how a resend looks."""


def size(log: Path) -> int:
    """Return the bytes of a site's log, for `read` to begin after."""
    return log.stat().st_size if log.exists() else 0


def read(site: str, log: Path, after: int = 0) -> DropCopy:
    """Return what a site's log holds after so many bytes, though it was put aside since."""
    return parse(site, messages(log, after))


def messages(log: Path, after: int = 0) -> list[bytes]:
    """Return the messages of a log after so many bytes, though it was put aside since."""
    aside = log.with_name(f"{log.name}.1")
    if size(log) < after and aside.exists():
        raw = _after(aside, after) + _after(log, 0)
    else:
        raw = _after(log, after)
    return [line for line in raw.split(b"\n") if line]


def _after(log: Path, offset: int) -> bytes:
    if not log.exists():
        return b""
    with log.open("rb") as file:
        file.seek(offset)
        return file.read()


def parse(site: str, lines: Iterable[bytes]) -> DropCopy:
    """Return what messages tell; a torn one tells nothing."""
    found = DropCopy(site)
    for line in lines:
        fields = {
            tag: value
            for tag, _, value in (
                one.partition("=") for one in line.decode(errors="replace").split("\x01")
            )
        }
        # The checksum comes last: a line without it was torn.
        if fields.get("150") != "F" or "10" not in fields:
            continue
        try:
            day, side = fields["75"], _SIDES[fields["54"]]
            key = (f"{day[:4]}-{day[4:6]}-{day[6:]}", fields["17"], side)
            executed = Executed(
                fields["11"], fields["55"], side, int(fields["32"]), Decimal(fields["31"])
            )
        except (KeyError, ValueError, InvalidOperation):
            continue
        if found.executions.setdefault(key, executed) != executed:
            found.contradicted.append(key)
    return found
