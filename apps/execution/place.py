"""One site's execution app as both roles share it: its sessions, its bus, its settings."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from functools import cached_property
from importlib import metadata

from apps.core.clock import Clock, utc_ns
from apps.core.journal import Journal, KillView
from apps.core.settings import ExecutionSettings
from apps.core.terms import Terms, agreed
from apps.execution.events import Context, Event, Profile
from apps.execution.feeds import Feeds
from apps.execution.gateway import Gateway
from apps.execution.risk import Limits
from apps.execution.teller import Teller

RELEASE = metadata.version("opsctl")
"""The release that this process runs; read once, since it lies in a file."""


@dataclass
class Place:
    """What a role works with; `take` is where events go while it has the role."""

    settings: ExecutionSettings
    owner: str
    """Unique to this process: how it recognises its own election."""
    journal: Journal
    teller: Teller
    utc_ns: Clock = utc_ns
    links: dict[str, bool] = field(default_factory=dict)
    """Whether the link to each other site's execution app is up."""
    feeds: Feeds = field(init=False)
    gateway: Gateway = field(init=False)
    take: Callable[[Event], None] = field(init=False)

    @property
    def site(self) -> str:
        """The site's name."""
        return self.settings.site

    @property
    def session(self) -> str:
        """The site's order session."""
        return self.profile.session(self.site)

    @property
    def alone(self) -> bool:
        """Whether no other site trades."""
        return len(self.settings.sites) < 2

    def put(self, event: Event) -> None:
        """Hand an event to whichever role is on."""
        self.take(event)

    def fault(self) -> str:
        """Return why orders could not flow here now; empty where they could."""
        if fault := self.gateway.fault():
            return fault
        if self.feeds.silent:
            return "the bus does not answer"
        return ""

    @cached_property
    def terms(self) -> Terms:
        """Under what this site trades."""
        return Terms(release=RELEASE, settings=agreed(self.settings))

    @cached_property
    def _limits(self) -> Limits:
        return limits_of(self.settings)

    @cached_property
    def profile(self) -> Profile:
        """What the venue promises."""
        return profile_of(self.settings)

    def context(self, kill: KillView) -> Context:
        """Return what is known beside the journal now."""
        return Context(
            now_ns=self.utc_ns(),
            site=self.site,
            market=self.feeds.market,
            kill=kill,
            limits=self._limits,
            profile=self.profile,
        )


def limits_of(settings: ExecutionSettings) -> Limits:
    """Return the pre-trade limits of the settings."""
    return Limits(
        max_order_notional_usd=settings.max_order_notional_usd,
        max_order_shares=settings.max_order_shares,
        max_position_notional_usd=settings.max_position_notional_usd,
        max_gross_notional_usd=settings.max_gross_notional_usd,
        price_collar_bps=settings.price_collar_bps,
        max_orders_per_s=settings.max_orders_per_s,
    )


def profile_of(settings: ExecutionSettings) -> Profile:
    """Return the venue's profile, as far as settling doubt depends on it."""
    return Profile(
        duplicate_check=settings.duplicate_check,
        on_disconnect=settings.on_disconnect,
        status_request=settings.status_request,
        status_scope=settings.status_scope,
        cross_session_cancel=settings.cross_session_cancel,
        sessions=settings.sessions,
    )
