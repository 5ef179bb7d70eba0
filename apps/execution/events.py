"""What happens to the order path, and what is known beside the journal when it does."""

from __future__ import annotations

from decimal import Decimal
from typing import Literal

import msgspec

from apps.core.fix import Purpose, comp_id
from apps.core.journal import KillView
from apps.core.messages import Decision
from apps.core.records import ReportSeen
from apps.execution.risk import Limits, Market


class Profile(msgspec.Struct, frozen=True, kw_only=True):
    """What the venue promises, as far as the order path depends on it: docs/venue.md."""

    duplicate_check: Literal["firm", "session", "none"] = "firm"
    on_disconnect: Literal["keep", "cancel"] = "keep"
    status_request: bool = True
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True
    sessions: Literal["per_site", "single"] = "per_site"

    def session(self, site: str) -> str:
        """Return the order session of a site, which may be that of every other site, too."""
        return comp_id(site, Purpose.ORDERS, single=self.sessions == "single")


class Context(msgspec.Struct, frozen=True, kw_only=True):
    """What is known beside the journal at the moment of deciding."""

    now_ns: int
    site: str
    market: Market
    kill: KillView
    limits: Limits
    profile: Profile

    @property
    def session(self) -> str:
        """Return the order session of the site."""
        return self.profile.session(self.site)


class TookOver(msgspec.Struct, frozen=True):
    """This process became the leader: what nobody has answered is in doubt from here."""

    epoch: int
    owner: str
    capital_usd: Decimal


class Decided(msgspec.Struct, frozen=True):
    """A decision arrived from the bus under the id `source`."""

    source: str
    decision: Decision
    received_ns: int


class Reported(msgspec.Struct, frozen=True):
    """The venue reported."""

    report: ReportSeen


class SessionChanged(msgspec.Struct, frozen=True):
    """A session logged on or went away."""

    session: str
    up: bool


class KillSeen(msgspec.Struct, frozen=True):
    """The kill switch may have changed: the context has it."""


class Dispatched(msgspec.Struct, frozen=True):
    """The gateway wrote orders to their session, and withheld others."""

    session: str
    journaled_ns: int
    sent: dict[str, int]
    withheld: dict[str, str]


class Renewed(msgspec.Struct, frozen=True):
    """Another site's order session was logged on anew under this epoch.

    Whatever it carried before has reached the venue or never will.
    """

    session: str


class Silent(msgspec.Struct, frozen=True):
    """The venue owes answers for too long, although the session is up."""

    orders: tuple[str, ...]


Event = TookOver | Decided | Reported | SessionChanged | KillSeen | Dispatched | Renewed | Silent
