"""Lines of a recorded run as far as counting needs them.

A run has millions of lines, and most of each says nothing about how many orders there were: what
is not named here is passed over without being made into values. Prices stay text, as they are
written: equal ones are counted together and made numbers once.
"""

from __future__ import annotations

import msgspec

from apps.core.records import EpochTaken


class Venue(msgspec.Struct, frozen=True, gc=False):
    """One line of the venue's own record."""

    kind: str
    at_ns: int
    cl_ord_id: str = ""
    session: str = ""
    maker: bool = False
    side: str = ""
    qty: int = 0
    price: str = "0"


class Book(msgspec.Struct, frozen=True, gc=False):
    """One row of a site's books; `table` says of which."""

    table: str
    id: str = ""
    order_id: str = ""
    side: str = ""
    qty: int = 0
    price: str = "0"


class Told(msgspec.Struct, frozen=True, gc=False):
    """One execution that a drop copy told of."""

    day: str = ""
    exec_id: str = ""
    side: str = ""
    order: str = ""
    qty: int = 0
    price: str = "0"


class _Record(msgspec.Struct, frozen=True, tag_field="type", gc=False):
    pass


class Judged(msgspec.Struct, frozen=True, gc=False):
    """What pre-trade risk said about one intent."""

    intent: str
    accepted: bool


class Decision(_Record, frozen=True, tag="decision"):
    """A decision arrived."""

    verdicts: tuple[Judged, ...] = ()


class Report(_Record, frozen=True, tag="report", gc=False):
    """A report of the venue."""

    order: str
    exec_type: str = ""
    side: str | None = None
    day: str = ""
    exec_id: str = ""
    last_qty: int = 0
    last_px: str = "0"


class Doubted(_Record, frozen=True, tag="doubt_opened"):
    """Orders came into doubt."""

    orders: tuple[str, ...]


class Settled(_Record, frozen=True, tag="doubt_settled", gc=False):
    """What was done about an order that the venue does not know."""

    order: str
    step: str


class Withheld(_Record, frozen=True, tag="withheld"):
    """Orders that were not sent, and why."""

    reasons: dict[str, str]


class Sent(_Record, frozen=True, tag="sent", gc=False):
    """Nothing that is counted; nor do the following."""


class Session(_Record, frozen=True, tag="session", gc=False):
    """A session came or went."""


class Cancels(_Record, frozen=True, tag="cancels", gc=False):
    """Orders are to be cancelled."""


class Halt(_Record, frozen=True, tag="halt", gc=False):
    """The kill switch changed."""


class Divergence(_Record, frozen=True, tag="divergence", gc=False):
    """Another content came under a known id."""


class Journaled(msgspec.Struct, frozen=True, gc=False):
    """One record of the journal."""

    record: (
        EpochTaken
        | Decision
        | Report
        | Doubted
        | Settled
        | Withheld
        | Sent
        | Session
        | Cancels
        | Halt
        | Divergence
    )
