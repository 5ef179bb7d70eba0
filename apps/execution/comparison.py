"""Whether this site may stand by for the one that leads, or led last: told once, and counted."""

from __future__ import annotations

import structlog

from apps.core.journal import Leadership
from apps.core.terms import Difference, Terms, Update, difference
from apps.execution import metrics

log = structlog.get_logger()


class Comparison:
    """Our terms beside those of the leader key, under the update that is recorded."""

    def __init__(self, mine: Terms) -> None:
        """Begin without anybody to compare with."""
        self.difference: Difference | None = None
        """How we differ where nothing allows it; None where we may stand by."""
        self._mine = mine
        self._leader: Leadership | None = None
        self._update: Update | None = None

    @property
    def forbids(self) -> str:
        """Why we must not lead even where nobody else does; empty where we may."""
        found = self.difference
        return found.reason if found is not None and not found.may_lead else ""

    def led_by(self, leader: Leadership | None) -> None:
        """Take note of the leader key."""
        self._leader = leader
        self._compare()

    def updated(self, update: Update | None) -> None:
        """Take note of what update is recorded."""
        self._update = update
        self._compare()

    def _compare(self) -> None:
        found, held = None, self._leader
        if held is not None:
            led = Terms(release=held.release, settings=held.settings)
            found = difference(self._mine, led, self._update, leader=held.site)
        if found is not None and found != self.difference:
            metrics.ALARMS.labels("other_terms").inc()
            log.error("alarm", kind="other_terms", detail=found.reason)
        self.difference = found
        for what in ("settings", "release"):
            metrics.STANDS_ASIDE.labels(what).set(found is not None and found.what == what)
