"""An environment: one deployment of a platform, as a frozen value.

Made from an environment file, flags and tier defaults by `opsctl.model.files`;
everything downstream (services, plans, verdicts) derives from it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, available_timezones

from pydantic import AfterValidator, Field

from opsctl.model.tiers import DR, LATENCY, DrPromise, DrTier, LatencyPromise, LatencyTier
from opsctl.model.value import Value

Usd = Annotated[Decimal, Field(gt=0, max_digits=18, decimal_places=2)]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]


class TargetName(StrEnum):
    """What runs the services of an environment."""

    LOCAL = "local"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


class Limits(Value):
    """Pre-trade and portfolio limits; what exceeds one is rejected before it is sent."""

    max_order_notional_usd: Usd = Decimal("250000")
    max_order_shares: Annotated[int, Field(gt=0)] = 1_000_000
    max_position_notional_usd: Usd = Decimal("250000")
    max_gross_notional_usd: Usd = Decimal("1100000")
    price_collar_bps: Annotated[int, Field(gt=0, le=5_000)] = 300
    max_orders_per_s: Annotated[int, Field(gt=0, le=100_000)] = 500


class VenueProfile(Value):
    """What a venue promises: the fence of the order path is chosen by it."""

    duplicate_check: Literal["firm", "session", "none"] = "firm"
    second_logon: Literal["refuse", "evict"] = "refuse"
    on_disconnect: Literal["keep", "cancel"] = "keep"
    status_request: bool = True
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True
    sessions: Literal["per_site", "single"] = "per_site"


class Replay(Value):
    """The tape that the venue simulator replays: `source` names an entry point or a file."""

    source: str = "prices"
    start: date = date(2010, 1, 4)
    day_s: Annotated[Decimal, Field(ge=0, le=86_400)] = Decimal("2")
    seed: int = 7


class Strategy(Value):
    """The strategy (an entry point of `opsctl.strategies`) and its parameters."""

    name: str = "momentum"
    parameters: dict[str, int | str | bool] = {}
    capital_usd: Usd = Decimal("1000000")


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError(f"{name!r} is no IANA time zone, such as America/New_York")
    return name


class Environment(Value):
    """One deployment: name, tiers, target, and everything that a firm may set."""

    name: EnvironmentName
    tier: LatencyTier
    dr: DrTier
    target: TargetName = TargetName.LOCAL
    infrastructure: Literal["none"] = "none"
    timezone: Annotated[str, AfterValidator(_known_zone)] = "America/New_York"
    live: bool = False
    allow_unmet: bool = False
    limits: Limits = Limits()
    venue: VenueProfile = VenueProfile()
    replay: Replay = Replay()
    strategy: Strategy = Strategy()
    log_level: Literal["debug", "info", "warning", "error"] = "info"
    settings: dict[str, dict[str, int | str | bool]] = {}
    """Further settings of one app by service name: `{"execution": {"log_level": "debug"}}`."""

    @property
    def latency(self) -> LatencyPromise:
        """What the latency tier promises."""
        return LATENCY[self.tier]

    @property
    def recovery(self) -> DrPromise:
        """What the disaster-recovery tier promises."""
        return DR[self.dr]

    @property
    def sites(self) -> tuple[str, ...]:
        """The sites of the environment, the witness last."""
        return self.recovery.sites

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of windows and trading days."""
        return ZoneInfo(self.timezone)
