"""What a drill can do to a link."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LONGEST_DELAY_MS = 60_000


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a link; without arguments it is as a link should be.

    `cut` breaks the connections of the link and every new one. `drop` swallows the bytes of
    one direction, `to` what the dialer sends and `from` what it would hear, while the
    connections stay. `delay_ms` holds both directions back, in order.
    """

    cut: bool = False
    drop: Literal["none", "to", "from"] = "none"
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_DELAY_MS)] = 0


class NoFaults(Exception):
    """A request that describes no faults; says why."""


def read(body: bytes) -> Faults:
    """Return the faults that a request asks for; raise `NoFaults`."""
    try:
        return msgspec.json.decode(body, type=Faults)
    except (msgspec.ValidationError, msgspec.DecodeError) as fault:
        raise NoFaults(str(fault)) from fault
