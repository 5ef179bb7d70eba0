"""The settings of every app, declared once.

An app reads them from `TRADING_*` variables and lists them by `--describe`; the
catalogue of `opsctl.services` builds the same classes and hands over `to_environment()`,
so that what the model produces is what an app understands. Secrets are never values
here: a `*_file` setting names the file that holds one.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, model_validator
from pydantic_settings import BaseSettings, SettingsConfigDict

PREFIX = "TRADING_"

Port = Annotated[int, Field(ge=1, le=65_535)]
Endpoint = Annotated[str, Field(pattern=r"^[^\s:]+:[0-9]{1,5}$")]
"""`host:port`."""


class CoreSettings(BaseSettings):
    """What every app needs: who it is, where its operations endpoint listens."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, extra="ignore", frozen=True)

    environment: str
    site: str
    service: str
    http_host: str = "127.0.0.1"
    http_port: Port
    http_token_file: Path
    """Holds the bearer token that opens /livez, /readyz and /metrics."""
    log_level: Literal["debug", "info", "warning", "error"] = "info"

    @classmethod
    def of(cls, **settings: object) -> Self:
        """Return settings made of the given values alone, not of this process's environment."""
        return cls.model_validate(settings)

    @classmethod
    def from_environment(cls, variables: Mapping[str, str]) -> Self:
        """Return the settings that an app reads in these variables alone."""
        given = {
            name: json.loads(raw) if raw[:1] in ("[", "{") else raw
            for name in cls.model_fields
            if (raw := variables.get(f"{PREFIX}{name}".upper())) is not None
        }
        return cls.model_validate(given)

    def to_environment(self) -> dict[str, str]:
        """Return these settings as the variables that an app reads."""
        return {
            f"{PREFIX}{name}".upper(): value if isinstance(value, str) else json.dumps(value)
            for name, value in self.model_dump(mode="json", exclude_none=True).items()
        }


class BusSettings(CoreSettings):
    """How to reach the site's bus (Valkey)."""

    bus_host: str = "127.0.0.1"
    bus_port: Port
    bus_password_file: Path


class BooksSettings(CoreSettings):
    """How to reach the site's PostgreSQL; `db_host` may be the folder of its unix socket."""

    db_host: str
    db_port: Port
    db_name: str = "trading"
    db_user: str = "trading"
    db_password_file: Path
    db_ca_file: Path | None = None
    """The authority of a server that is reached by TLS: it has to prove that it is `db_host`.
    Without one nothing has to be proven: the server is the site's own, and has no TLS."""


def _by_itself(value: object) -> bool:
    return value == "automatic"


def _empty(value: object) -> bool:
    return not value


class JournalSettings(CoreSettings):
    """How to reach the journal (etcd, mutual TLS)."""

    journal_endpoints: Annotated[list[str], Field(min_length=1)]
    """`host:port` of each member, the nearest first."""
    journal_ca_file: Path
    journal_cert_file: Path
    journal_key_file: Path
    journal_deadline_ms: Annotated[int, Field(gt=0, le=50)] = 50
    journal_identity: Annotated[str, Field(exclude_if=_empty)] = ""
    """The environment's UUID: the journal must bear it. Empty (what an older release was
    deployed with): any journal will do."""
    journal_archive: Path | None = None
    """Folder of batches that left the journal; without one nothing ever leaves it."""


class FixSettings(CoreSettings):
    """How to log on to the venue as an initiator; each session has its own CompID."""

    fix_host: str = "127.0.0.1"
    fix_port: Port
    fix_venue: str = "VENUE"
    """The venue's CompID."""
    fix_password_file: Path
    fix_store: Path
    """Folder of the engine's own message store."""


class VenueSettings(CoreSettings):
    """The exchange simulator."""

    fix_host: str = "127.0.0.1"
    fix_port: Port
    fix_venue: str = "VENUE"
    fix_password_file: Path
    fix_store: Path
    sites: Annotated[list[str], Field(min_length=1)] = ["a"]
    """Sites of the firm; each gets the sessions of `apps.core.fix.sessions`."""
    record: Path
    """The append-only record of everything accepted and executed (JSON lines)."""
    tape: str = "prices"
    """An entry point of `opsctl.prices`, or a CSV or Parquet file."""
    tape_start: date
    day_s: Annotated[Decimal, Field(ge=0)] = Decimal("2")
    """Seconds that one replayed day takes; 0 is as fast as the chain releases days."""
    seed: int = 7
    spread_bps: Annotated[Decimal, Field(gt=0)] = Decimal("2")
    """The public market maker's spread around the replayed price."""
    depth_shares: Annotated[int, Field(gt=0)] = 200_000
    """Shares that the market maker quotes on each side."""
    duplicate_check: Literal["firm", "session", "none"] = "firm"
    second_logon: Literal["refuse", "evict"] = "refuse"
    on_disconnect: Literal["keep", "cancel"] = "keep"
    status_request: bool = True
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True
    sessions: Literal["per_site", "single"] = "per_site"
    """With "single" all sites log on as one order session; drop copies stay per site."""
    fix_inner_port: Port | None = None
    """With `second_logon` "evict" the FIX engine listens here, on loopback, behind `fix_port`."""
    max_requests_per_s: Annotated[int, Field(ge=0)] = 0
    """Requests that one session may make within a second; 0 is no limit."""

    @model_validator(mode="after")
    def _has_a_port_behind(self) -> Self:
        if (self.second_logon == "evict") != (self.fix_inner_port is not None):
            raise ValueError("second_logon evict, and nothing else, needs a fix_inner_port")
        return self


class DataSettings(BusSettings, BooksSettings, FixSettings):
    """Ingestion: the venue's market data and the history before it, normalized and stored."""

    source: str = "prices"
    """Where history comes from: an entry point of `opsctl.prices`, or a CSV or Parquet file."""
    history_until: date
    """History is loaded up to the day before; from this day on the venue's feed speaks."""
    day_s: Annotated[Decimal, Field(ge=0)] = Decimal("2")
    """As the venue's: at 0 this app releases the next day once the last one is settled."""
    strategy: str = "momentum"
    """At `day_s` 0: whose settled decision releases the next day."""
    outlier_bound: Annotated[Decimal, Field(gt=0)] = Decimal("0.6")
    """A day's relative move beyond this goes to quarantine."""


class StrategySettings(BusSettings, BooksSettings):
    """The strategy engine."""

    strategy: str = "momentum"
    """An entry point of `opsctl.strategies`."""
    parameters: dict[str, int | str | bool] = {}
    capital_usd: Decimal = Decimal("1000000")
    max_position_notional_usd: Decimal = Decimal("250000")
    max_gross_notional_usd: Decimal = Decimal("1100000")
    max_order_notional_usd: Decimal = Decimal("250000")
    """Larger orders are split; as `RiskSettings`."""
    max_order_shares: Annotated[int, Field(gt=0)] = 1_000_000
    price_collar_bps: Annotated[int, Field(gt=0)] = 300
    order_offset_bps: Annotated[int, Field(ge=0)] = 50
    """How far beyond the close a limit may lie; never beyond half the collar."""
    min_trade_bps: Annotated[int, Field(ge=0)] = 25
    """Changes of a position worth less than this share of the equity are not traded."""


class RiskSettings(CoreSettings):
    """Pre-trade limits; see `opsctl.model.environment.Limits`."""

    max_order_notional_usd: Decimal = Decimal("250000")
    max_order_shares: Annotated[int, Field(gt=0)] = 1_000_000
    max_position_notional_usd: Decimal = Decimal("250000")
    max_gross_notional_usd: Decimal = Decimal("1100000")
    price_collar_bps: Annotated[int, Field(gt=0)] = 300
    max_orders_per_s: Annotated[int, Field(gt=0)] = 500


class ExecutionSettings(BusSettings, JournalSettings, FixSettings, RiskSettings):
    """Order management, journal and FIX gateway of one site."""

    capital_usd: Decimal = Decimal("1000000")
    detection_ms: Annotated[int, Field(gt=0)] = 100
    """Silence of the leader after which another site takes the next epoch."""
    takeover: Annotated[Literal["automatic", "manual"], Field(exclude_if=_by_itself)] = "automatic"
    """Whether a silent leader is succeeded at once, or when somebody orders it."""
    sites: Annotated[list[str], Field(exclude_if=_empty)] = []
    """The sites that trade, this one among them; empty where it is the only one."""
    peer_host: str | None = None
    peer_port: Port | None = None
    """Where this app listens for those of the other sites; None where it is alone."""
    peers: Annotated[dict[str, Endpoint], Field(exclude_if=_empty)] = {}
    """Other site -> `host:port` of its execution app, by the link between the two."""
    duplicate_check: Literal["firm", "session", "none"] = "firm"
    on_disconnect: Literal["keep", "cancel"] = "keep"
    status_request: bool = True
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True
    sessions: Literal["per_site", "single"] = "per_site"
    """With "single" all sites share one order session: it is held by the one that leads."""
    drop_copy_log: Path | None = None
    """File of the executions that the drop copy tells of; without one they are not kept."""
    halt_note: Path | None = None
    """File of a halt that the journal does not have yet; without one a restart forgets it."""
    journal_keep_batches: Annotated[int, Field(gt=0)] = 20_000
    """Batches after which open state is snapshotted, and older ones go to the archive."""


class ProjectorSettings(JournalSettings, BooksSettings):
    """The projector: applies the journal to PostgreSQL, exactly once."""

    capital_usd: Decimal = Decimal("1000000")


class LinkSettings(BaseModel):
    """One link of the network: what is accepted at `listen` goes to `to`.

    With `asked`, the port is a door that several links share: a connection asks it for a
    name by HTTP CONNECT, and goes by the link of that name.

    `by` is the name that the network app of another host bears: `to` is its address, reached
    by mutual TLS and asked there for the link's own name. `of` is the name of the one that
    may come that way: this end of such a link.
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    listen: Endpoint
    to: Endpoint
    asked: str = ""
    by: Annotated[str, Field(exclude_if=_empty)] = ""
    of: Annotated[str, Field(exclude_if=_empty)] = ""


class NetworkSettings(CoreSettings):
    """The network between sites: a proxy whose links a drill can disturb."""

    links: Annotated[dict[str, LinkSettings], Field(min_length=1)]
    tls_ca_file: Path | None = None
    """The authority, and this app's certificate and key, for links from and to other hosts."""
    tls_cert_file: Path | None = None
    tls_key_file: Path | None = None

    @model_validator(mode="after")
    def _told_apart(self) -> Self:
        """Refuse links that share a port, and nothing says which of them is meant."""
        asked: dict[str, list[str]] = {}
        for link in self.links.values():
            asked.setdefault(link.listen, []).append(link.asked)
        for listen, names in asked.items():
            if len(set(names)) < len(names) or (len(names) > 1 and "" in names):
                raise ValueError(f"links that share {listen} must each be asked for by a name")
        return self

    @model_validator(mode="after")
    def _secured(self) -> Self:
        """Refuse a link to or from another host without mutual TLS, and a port with both."""
        between = {name for name, link in self.links.items() if link.by or link.of}
        if between and not (self.tls_ca_file and self.tls_cert_file and self.tls_key_file):
            raise ValueError(f"{', '.join(sorted(between))} take tls_ca_file, cert and key")
        doors = {link.listen for link in self.links.values() if link.of}
        plain = {link.listen for link in self.links.values() if not link.of}
        if doors & plain:
            raise ValueError(f"{', '.join(doors & plain)} is for other hosts alone")
        return self


class DeskSettings(BusSettings, BooksSettings):
    """The dashboard."""

    desk_secret_file: Path
    """Signs the one-time log-in links of `opsctl open` and the cookie behind them."""
    peers: dict[str, str] = {}
    """Services whose health is shown: name -> base address of its operations endpoint."""
    capital_usd: Decimal = Decimal("1000000")
    latency_tier: str = ""
    """The latency tier's name, shown beside the environment's."""
    latency_budget_us: Annotated[int, Field(gt=0)] | None = None
    """What the latency tier promises from tick to order; shown beside what is measured."""


APPS: dict[str, type[CoreSettings]] = {
    "venue": VenueSettings,
    "data": DataSettings,
    "strategy": StrategySettings,
    "execution": ExecutionSettings,
    "projector": ProjectorSettings,
    "desk": DeskSettings,
    "network": NetworkSettings,
}
"""Every app of the platform and the settings it reads."""
