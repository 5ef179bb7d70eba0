"""An environment: one deployment of a platform, as a frozen value.

Made from an environment file, flags and tier defaults by `opsctl.model.files`;
everything downstream (services, plans, verdicts) derives from it.
"""

from __future__ import annotations

from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import AfterValidator, BeforeValidator, Field

from opsctl.model import window
from opsctl.model.aws import AwsSettings
from opsctl.model.books import Books
from opsctl.model.ephemeral import Ephemeral
from opsctl.model.hosts import Hosts
from opsctl.model.onprem import OnpremSettings
from opsctl.model.resources import DEFAULTS, Asked
from opsctl.model.tiers import DR, LATENCY, DrPromise, DrTier, LatencyPromise, LatencyTier
from opsctl.model.value import Value

DIGITS = 18
"""No number of an environment has more digits, before its point or after it."""


def _bounded(value: Any) -> Any:
    # Bounded before anything computes with it: 1e99999999 would be made an int for minutes.
    fits = True
    if isinstance(value, Decimal):
        exponent = value.as_tuple().exponent
        fits = isinstance(exponent, int) and exponent >= -DIGITS and value.adjusted() < DIGITS
    elif isinstance(value, int):
        fits = abs(value) < 10**DIGITS
    if not fits:
        raise ValueError(f"must be a number of at most {DIGITS} digits")
    return value


def _number(value: Any) -> Any:
    # pydantic takes True for 1: a limit of `true` is a slip, never a number.
    if isinstance(value, bool):
        raise ValueError("must be a number")
    return _bounded(value)


def _setting(value: Any) -> Any:
    # An app parses its own numbers; a float would lose the digits that were written.
    value = _bounded(value)
    return str(value) if isinstance(value, float | Decimal) else value


Number = BeforeValidator(_number)
Usd = Annotated[Decimal, Number, Field(gt=0, max_digits=DIGITS, decimal_places=2)]
EnvironmentName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
ServiceName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
Registry = Annotated[str, Field(pattern=r"^([a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*)?$")]
"""`host[:port][/path]`; may be empty."""
NamedImage = Annotated[str, Field(pattern=r"^([a-z0-9][^\s@]*@)?sha256:[0-9a-f]{64}$")]
"""`repository@sha256:…`: a tag can be moved, a digest cannot; `sha256:…` alone is the id of an
image that the engine was given without a registry."""
ImageReference = Annotated[str, Field(pattern=r"^([a-z0-9][^\s@]*@sha256:[0-9a-f]{64})?$")]
"""As `NamedImage`; may be empty."""
ScenarioName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")]
SettingName = Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,60}$")]
Setting = Annotated[int | str | bool, BeforeValidator(_setting)]
"""A setting of an app or a parameter of a strategy; a number with a point is kept as text."""


WITNESS = "witness"
"""The site that only votes."""


class TargetName(StrEnum):
    """What runs the services of an environment."""

    LOCAL = "local"
    DOCKER = "docker"
    KUBERNETES = "kubernetes"


class Limits(Value):
    """Pre-trade and portfolio limits; what exceeds one is rejected before it is sent."""

    max_order_notional_usd: Usd = Field(
        Decimal("250000"), description="largest notional of one order"
    )
    max_order_shares: Annotated[int, Number, Field(gt=0)] = Field(
        1_000_000, description="most shares of one order"
    )
    max_position_notional_usd: Usd = Field(
        Decimal("250000"), description="largest notional held in one instrument"
    )
    max_gross_notional_usd: Usd = Field(
        Decimal("1100000"), description="largest sum of all positions, long and short"
    )
    price_collar_bps: Annotated[int, Number, Field(gt=0, le=5_000)] = Field(
        300, description="how far an order's price may lie from the last price"
    )
    max_orders_per_s: Annotated[int, Number, Field(gt=0, le=100_000)] = Field(
        500, description="most orders sent in a second"
    )


class VenueProfile(Value):
    """What a venue promises: the fence of the order path is chosen by it."""

    duplicate_check: Literal["firm", "session", "none"] = Field(
        "firm", description="within what the venue rejects a ClOrdID it has seen"
    )
    second_logon: Literal["refuse", "evict"] = Field(
        "refuse", description="what a second logon of a session meets"
    )
    on_disconnect: Literal["keep", "cancel"] = Field(
        "keep", description="what becomes of open orders when their session is cut"
    )
    status_request: bool = Field(True, description="whether the venue answers status requests")
    status_scope: Literal["firm", "session"] = Field(
        "firm", description="whose orders a status request may ask for"
    )
    cross_session_cancel: bool = Field(
        True, description="whether one session may cancel another's order"
    )
    sessions: Literal["per_site", "single"] = Field(
        "per_site", description="whether every site has an order session of its own"
    )


class Replay(Value):
    """The tape that the venue simulator replays."""

    source: str = Field("prices", description="an entry point of `opsctl.prices`, or a file")
    start: date = Field(date(2010, 1, 4), description="the first day that is replayed")
    day_s: Annotated[Decimal, Number, Field(ge=0, le=86_400, decimal_places=3)] = Field(
        Decimal("2"), description="seconds that one day takes; 0: as fast as the chain allows"
    )
    seed: Annotated[int, Number] = Field(7, description="seed of the public market maker")


class Strategy(Value):
    """The strategy and its parameters."""

    name: str = Field("momentum", description="an entry point of `opsctl.strategies`")
    parameters: dict[SettingName, Setting] = Field(
        {}, description="the strategy's own parameters, by name"
    )
    capital_usd: Usd = Field(Decimal("1000000"), description="what the strategy starts with")


def _window(text: str) -> str:
    window.parse(text)  # a ValueError says what is wrong with it
    return text


class Drills(Value):
    """When drills may run, and which are due how often."""

    window: Annotated[str, AfterValidator(_window)] = Field(
        "",
        description="when drills may run, on the clock of trading:timezone; empty: at any time",
    )
    every_days: Annotated[int, Number, Field(ge=1, le=3_650)] = Field(
        90, description="days after which a scenario that passed is due again"
    )
    scenarios: tuple[ScenarioName, ...] = Field(
        (), description="the scenarios that are due; empty: every one of the catalogue"
    )


class Images(Value):
    """Where the images of the services come from; without a word of it we make them all."""

    registry: Registry = Field(
        "", description="registry and path that images are pushed to; empty: hosts get a stream"
    )
    base: ImageReference = Field(
        "", description="official Python image, by digest, under our apps; empty: from packages"
    )
    use: dict[ServiceName, NamedImage] = Field(
        {}, description="an image by digest instead of ours, by service: official, or your own"
    )


def _known_services(asked: dict[str, Asked]) -> dict[str, Asked]:
    unknown = sorted(asked.keys() - DEFAULTS.keys())
    if unknown:
        raise ValueError(
            f"there is no service {', '.join(unknown)}: known are {', '.join(sorted(DEFAULTS))}"
        )
    return asked


def _known_zone(name: str) -> str:
    # Opening the one zone; to list all of them reads a thousand files.
    try:
        known = bool(name) and ZoneInfo(name) is not None
    except (ZoneInfoNotFoundError, ValueError, OSError):
        known = False
    if not known:
        raise ValueError("must be an IANA time zone, such as America/New_York")
    return name


class Environment(Value):
    """One deployment: name, tiers, target, and everything that a firm may set."""

    name: EnvironmentName
    tier: LatencyTier = Field(description="latency tier: how fast an order follows a tick")
    dr: DrTier = Field(description="disaster-recovery tier; by default the one of the tier")
    target: TargetName = Field(TargetName.LOCAL, description="what runs the services")
    infrastructure: Literal["none", "aws", "onprem"] = Field(
        "none", description="what a Pulumi stack declares for it"
    )
    aws: AwsSettings = Field(
        AwsSettings(), description="account, places and hosts, where infrastructure is aws"
    )
    onprem: OnpremSettings = Field(
        OnpremSettings(), description="racks and servers, where infrastructure is onprem"
    )
    ephemeral: Ephemeral = Field(
        Ephemeral(), description="whose it is and when it ends, where it is made to be taken away"
    )
    timezone: Annotated[str, AfterValidator(_known_zone)] = Field(
        "America/New_York", description="IANA time zone of windows and trading days"
    )
    live: bool = Field(False, description="real money: guards destroy, deploy, failover and drills")
    allow_unmet: bool = Field(
        False, description="deploy although the tier cannot be met; verdicts say so"
    )
    detection_ms: Annotated[int, Number, Field(ge=20, le=10_000)] = Field(
        100,
        description="milliseconds of the leader's silence until a site takes over, or asks to",
    )
    limits: Limits = Field(Limits(), description="pre-trade and portfolio limits")
    venue: VenueProfile = Field(VenueProfile(), description="what the venue promises")
    replay: Replay = Field(Replay(), description="the tape that the venue simulator replays")
    strategy: Strategy = Field(Strategy(), description="the strategy and its parameters")
    drills: Drills = Field(Drills(), description="when drills may run, and which are due")
    images: Images = Field(Images(), description="where the images of the services come from")
    hosts: Hosts = Field(
        {}, description="Docker hosts by place (a site, market); empty: this machine's engine"
    )
    books: Books = Field(
        {}, description="PostgreSQL that others run, by site; empty: each site runs its own"
    )
    services: Annotated[dict[ServiceName, Asked], AfterValidator(_known_services)] = Field(
        {}, description="what single services may use, on a target that runs containers"
    )
    log_level: Literal["debug", "info", "warning", "error"] = Field(
        "info", description="how much every app logs"
    )
    settings: dict[ServiceName, dict[SettingName, Setting]] = Field(
        {}, description="further settings of one app, by service name"
    )
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
    def trading_sites(self) -> tuple[str, ...]:
        """The sites that trade: all but the witness."""
        return tuple(site for site in self.sites if site != WITNESS)

    @property
    def zone(self) -> ZoneInfo:
        """The time zone of windows and trading days."""
        return ZoneInfo(self.timezone)
