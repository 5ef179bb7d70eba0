"""The recorded update: what may stand side by side in a hot environment while it is changed.

Sites of different releases or settings are no standby of one another. While a deploy or a
rollback changes them one after the other, the journal names the terms that it goes from and
to; the record is taken away at the end. A change that was killed leaves it, and the next one
takes it over.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

import msgspec

from opsctl import __version__
from opsctl.deploy import records
from opsctl.evidence import runs
from opsctl.health.journal import answering
from opsctl.model.environment import Environment
from opsctl.services import execution
from opsctl.services.base import Host, JournalProbe, Service
from opsctl.targets.base import Event

if TYPE_CHECKING:
    from apps.core.journal import Journal

PATIENCE_S = 2.0
ATTEMPTS = 10


class Recorded:
    """The update of one change; of an environment without a standby it is nothing."""

    def __init__(
        self, environment: Environment, services: Sequence[Service], host: Host, run: str
    ) -> None:
        """Prepare; `record` writes it."""
        self._environment, self._services, self._host = environment, tuple(services), host
        self._run = run
        self._members = {s.key for s in services if isinstance(s.probe, JournalProbe)}
        self._due = len(environment.trading_sites) > 1

    def record(self) -> None:
        """Write it where the journal answers; where it does not, `heard` does so later."""
        if self._due and self._done(self._write):
            self._due = False

    def heard(self, event: Event) -> None:
        """Write it as soon as a member of the journal is ready, before an app waits for it."""
        if event.stage == "ready" and event.service in self._members:
            self.record()

    def over(self) -> bool:
        """Take it away; return whether none is left, as far as is known."""
        return len(self._environment.trading_sites) < 2 or self._done(_remove)

    def _done(self, work: Callable[[Journal], Awaitable[None]]) -> bool:
        """Do something in the journal; return whether that answered."""
        from apps.core.etcd import EtcdError

        journal = answering(self._environment, self._services, self._host)
        if journal is None:
            return False

        async def act() -> None:
            async with journal:
                await work(journal)

        try:
            asyncio.run(act())
        except EtcdError:
            return False
        return True

    async def _write(self, journal: Journal) -> None:
        from apps.core import etcd, terms
        from apps.core.journal import UPDATE
        from apps.core.sites import overview

        seen = await overview(journal, self._environment.trading_sites, patience_s=PATIENCE_S)
        found = {terms.Terms(release=__version__, settings=at) for at in self._agreed()}
        if seen.update is not None:  # of a change that was killed
            found |= set(seen.update.terms)
        for told in (seen.leader, *seen.presences.values()):
            if told is not None and told.settings:
                found.add(terms.Terms(release=told.release, settings=told.settings))
        update = terms.Update(
            run=self._run,
            by=runs.who(),
            at_ns=journal.clock(),
            terms=tuple(sorted(found, key=lambda one: (one.release, one.settings))),
        )
        put = etcd.put(journal.key(UPDATE), msgspec.json.encode(update))
        await _change(journal, put)

    def _agreed(self) -> set[str]:
        """Return the digests of what the sites will agree on."""
        apps = (s for s in self._services if s.name == execution.NAME)
        return {execution.agreed(app) for app in apps}


async def left(journal: Journal, name: str, *, patience_s: float) -> str | None:
    """Return the record of an update that is over, in words; None where there is none.

    It stays where the journal was away at the end of its change. Over is what no change of
    the environment is under way for. Raises `Unreachable` beyond the patience.
    """
    from apps.core import sites

    found = await sites.recorded_update(journal, patience_s=patience_s)
    if found is None or records.in_progress(name) is not None or runs.alive(found.run):
        return None
    at = datetime.fromtimestamp(found.at_ns / 1e9, UTC)
    return f"the record of an update of {at:%Y-%m-%dT%H:%M:%SZ} by {found.by} (run {found.run})"


async def remove(journal: Journal, name: str, *, patience_s: float) -> str | None:
    """Remove what `left` tells of, and return it; the environment's lock must be held."""
    found = await left(journal, name, patience_s=patience_s)
    if found is None:
        return None
    await _remove(journal)
    return f"removed {found}"


async def _remove(journal: Journal) -> None:
    from apps.core import etcd
    from apps.core.journal import UPDATE

    key = journal.key(UPDATE)
    answer = await journal.store.read(etcd.get(key), patience_s=PATIENCE_S)
    if etcd.pair(answer.responses[0].response_range, key).mod:
        await _change(journal, etcd.delete(key))


async def _change(journal: Journal, op: Any) -> None:
    """Write, again where the answer is lost: it may be done twice. Raises as the store does."""
    from apps.core.etcd import LAST_BACKOFF_S, OutcomeUnknown

    for left in range(ATTEMPTS, 0, -1):
        try:
            await journal.store.attempt([], [op], [])
        except OutcomeUnknown:
            if left == 1:
                raise
            await asyncio.sleep(LAST_BACKOFF_S)
        else:
            return
