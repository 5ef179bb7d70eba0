"""The exchange simulator: it stands outside the firm's sites."""

from __future__ import annotations

from apps.core.settings import VenueSettings
from opsctl.model.environment import Environment
from opsctl.model.topology import MARKET, Link
from opsctl.services import app
from opsctl.services.base import Address, Host, Service
from opsctl.services.links import through

NAME = "venue"
SITE = MARKET
"""Where the venue stands; no site of the firm bears this name."""
SECRET = "fix"  # noqa: S105 - a name


def fix_address(host: Host) -> Address:
    """Return where the venue accepts FIX sessions."""
    return host.address(NAME, SITE, "fix")


def initiator(environment: Environment, name: str, site: str, host: Host) -> dict[str, object]:
    """Return the settings with which an app logs on to the venue."""
    at = through(environment, Link(dialer=site, to=SITE, kind="fix"), host)
    return {
        "fix_host": at.host,
        "fix_port": at.port,
        "fix_password_file": host.secret(SECRET),
        "fix_store": f"{host.folder(name, site, 'data')}/fix",
    }


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return the venue with its tape, its profile and its record."""
    at = fix_address(host)
    data = host.folder(NAME, site, "data")
    profile, replay = environment.venue, environment.replay
    ports = {"fix": at.port}
    if profile.second_logon == "evict":
        ports["fix-inner"] = host.address(NAME, SITE, "fix-inner").port
    return app.service(
        VenueSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.venue",
        purpose="exchange simulator: replays real prices, matches orders, keeps the record",
        wiring={
            "fix_host": at.host,
            "fix_port": at.port,
            "fix_password_file": host.secret(SECRET),
            "fix_store": f"{data}/fix",
            "record": f"{data}/record.jsonl",
            **({"fix_inner_port": ports["fix-inner"]} if "fix-inner" in ports else {}),
            "sites": list(environment.trading_sites),
        },
        chosen={
            "tape": replay.source,
            "tape_start": replay.start,
            "day_s": replay.day_s,
            "seed": replay.seed,
            "duplicate_check": profile.duplicate_check,
            "second_logon": profile.second_logon,
            "on_disconnect": profile.on_disconnect,
            "status_request": profile.status_request,
            "status_scope": profile.status_scope,
            "cross_session_cancel": profile.cross_session_cancel,
            "sessions": profile.sessions,
        },
        ports=ports,
        secrets=(SECRET,),
    )
