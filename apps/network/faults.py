"""What a drill can do to a link."""

from __future__ import annotations

from typing import Annotated, Literal

import msgspec

LONGEST_DELAY_MS = 60_000
SLOWEST_BYTES_PER_S = 100
FASTEST_BYTES_PER_S = 1_000_000_000


class Faults(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """The state of a link; without arguments it is as a link should be.

    `cut` breaks the connections of the link and every new one. `drop` swallows the bytes of
    one direction, `to` what the dialer sends and `from` what it would hear, while the
    connections stay. `delay_ms` holds both directions back, in order. `bytes_per_s` lets no
    more through, of each connection each way; 0: as many as come.
    """

    cut: bool = False
    drop: Literal["none", "to", "from"] = "none"
    delay_ms: Annotated[int, msgspec.Meta(ge=0, le=LONGEST_DELAY_MS)] = 0
    bytes_per_s: Annotated[int, msgspec.Meta(ge=0, le=FASTEST_BYTES_PER_S)] = 0

    def __post_init__(self) -> None:
        """Refuse a link that would carry a message in hours: cut it instead."""
        if 0 < self.bytes_per_s < SLOWEST_BYTES_PER_S:
            raise ValueError(f"bytes_per_s must be 0 or at least {SLOWEST_BYTES_PER_S}")


class NoFaults(Exception):
    """A request that describes no faults; says why."""


def read(body: bytes) -> Faults:
    """Return the faults that a request asks for; raise `NoFaults`."""
    try:
        return msgspec.json.decode(body, type=Faults)
    except (msgspec.ValidationError, msgspec.DecodeError) as fault:
        raise NoFaults(str(fault)) from fault
