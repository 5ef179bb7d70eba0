"""Under what a site trades: its release, and the settings that sites must have in common.

The leader key says it of who leads. Sites that differ are no standby of one another, but
while an update that opsctl has recorded in the journal names them both. Pure.
"""

from __future__ import annotations

import hashlib
import json
from typing import Literal

import msgspec

from apps.core.settings import ExecutionSettings, RiskSettings

AGREED = (
    *(name for name in RiskSettings.model_fields if name.startswith(("max_", "price_"))),
    *("duplicate_check", "on_disconnect", "status_request", "status_scope"),
    *("cross_session_cancel", "sessions", "capital_usd", "detection_ms", "takeover", "sites"),
)
"""Settings that the sites of an environment must have in common."""


class Terms(msgspec.Struct, frozen=True, kw_only=True):
    """A release, and the digest of the agreed settings."""

    release: str
    settings: str


UNTOLD = Terms(release="", settings="")
"""Of a leader whose release did not tell."""


class Update(msgspec.Struct, frozen=True, kw_only=True):
    """A recorded update: the terms that may stand side by side until it is over."""

    run: str
    """The run of opsctl that recorded it."""
    by: str
    at_ns: int
    terms: tuple[Terms, ...]
    v: int = 1

    def names(self, *both: Terms) -> bool:
        """Return whether all of these may stand side by side."""
        return set(both) <= set(self.terms)


class Difference(msgspec.Struct, frozen=True, kw_only=True):
    """Why a site is no standby; `may_lead` where it takes over from a dead leader all the same."""

    what: Literal["settings", "release"]
    reason: str
    may_lead: bool


def agreed(settings: ExecutionSettings) -> str:
    """Return a digest of the settings that sites must agree on."""
    shared = settings.model_dump(mode="json", include=set(AGREED))
    return hashlib.sha256(json.dumps(shared, sort_keys=True).encode()).hexdigest()[:16]


def adjacent(one: str, other: str) -> bool:
    """Return whether two releases are one minor release apart at most, in one major."""
    try:
        (major, minor), (their_major, their_minor) = map(_numbers, (one, other))
    except ValueError:
        return one == other
    return major == their_major and abs(minor - their_minor) <= 1


def _numbers(release: str) -> tuple[int, int]:
    major, minor = release.split(".")[:2]
    return int(major), int(minor)


def difference(
    mine: Terms, leaders: Terms, update: Update | None, *, leader: str
) -> Difference | None:
    """Return how we differ from the terms of the leading site; None where we may stand by.

    A leader of a release that did not tell its terms is compared with nobody.
    """
    unknown = not leaders.settings
    if unknown or mine == leaders or (update is not None and update.names(mine, leaders)):
        return None
    cure = "and no update is recorded"
    if mine.settings != leaders.settings:
        return Difference(
            what="settings",
            reason=f"the settings differ from those of site {leader}, which led last "
            f"({mine.settings} here, {leaders.settings} there), {cure}",
            may_lead=False,
        )
    return Difference(
        what="release",
        reason=f"the release differs from that of site {leader}, which led last "
        f"({mine.release} here, {leaders.release} there), {cure}",
        may_lead=adjacent(mine.release, leaders.release),
    )


def decode(raw: bytes) -> Update | None:
    """Return the update that the key holds; None where it is absent."""
    return msgspec.json.decode(raw, type=Update) if raw else None
