"""Reading the accounts of a deployed environment.

They are the journal, the books and the drop copy of each site, and the venue's own record.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from apps.core.journal import Journal
from apps.core.records import Batch, JournalRecord
from apps.core.sites import Overview, overview
from opsctl.deploy.health import secrets_of
from opsctl.drills import book_rows, drop_copy
from opsctl.drills.drop_copy import DropCopy
from opsctl.drills.reconciliation import Books, Held
from opsctl.drills.venue_window import VenueWindow
from opsctl.errors import OpsctlError
from opsctl.health.journal import open_journal
from opsctl.model.environment import Environment
from opsctl.services.base import BusProbe, Service
from opsctl.services.books import probes
from opsctl.targets.base import Target

PATIENCE_S = 5.0


@dataclass(frozen=True)
class Since:
    """Where accounts stood: the journal's last record, the bytes of each log, what was held."""

    tail: int
    told: Mapping[str, int]
    """By site, the bytes of its drop copy's log."""
    venue: int = 0
    """Bytes of the venue's record."""
    held: Mapping[str, Held] = field(default_factory=dict)
    """By site, what its books held."""


@dataclass(frozen=True)
class Accounts:
    """Where the accounts of an environment are."""

    environment: Environment
    target: Target

    def service(self, name: str, site: str | None = None) -> Service:
        """Return a service by name; raise `OpsctlError` where the environment has none."""
        for found in self.target.services():
            if found.name == name and site in (None, found.site):
                return found
        raise OpsctlError(f"{self.environment.name} has no {name}")

    def buses(self) -> dict[str, tuple[str, int, str]]:
        """Return host, port and password of the bus of every site that trades."""
        read = secrets_of(self.target)
        return {
            s.site: (s.probe.at.here.host, s.probe.at.here.port, read(s.probe.secret))
            for s in self.target.services()
            if isinstance(s.probe, BusProbe) and s.site in self.environment.trading_sites
        }

    def venue(self, since: Since) -> VenueWindow:
        """Return what the venue has recorded since, to be read as it grows; raises `OSError`."""
        return VenueWindow(self.venue_record(), since.venue)

    def venue_record(self) -> Path:
        """Return where the venue keeps its record."""
        venue = self.service("venue")
        return self.target.file(venue.key, venue.environment["TRADING_RECORD"])

    def book_rows(self, since: Since) -> dict[str, list[dict[str, Any]]]:
        """Return, by site, the rows of its books that are younger; raises `psycopg.Error`.

        Each row names its `table`. Positions come twice, as they were before (`when`) and as
        they are, each with the record of the journal that they are of.
        """
        read = secrets_of(self.target)
        return {
            site: book_rows.read(at, read, since.tail, since.held[site])
            for site, at in probes(self.target.services()).items()
            if site in since.held
        }

    def books(self, since: Since) -> list[Books]:
        """Return the books of every site, each at one instant; raises `psycopg.Error`.

        Of the orders those that changed since or are open, of the fills those that came since.
        """
        read = secrets_of(self.target)
        return [
            book_rows.books(site, at, read, since.held[site])
            for site, at in probes(self.target.services()).items()
            if site in since.held
        ]

    def older(self, since: Since) -> dict[str, tuple[Held, set[str]]]:
        """Return, by site, what its books say now of what they held before.

        With the orders that changed since. Raises `psycopg.Error`.
        """
        read = secrets_of(self.target)
        return {
            site: book_rows.again(at, read, since.held[site])
            for site, at in probes(self.target.services()).items()
            if site in since.held
        }

    def drop_copy_logs(self) -> dict[str, Path]:
        """Return where each site logs its drop copy."""
        found = {
            site: self._file(self.service("execution", site), "TRADING_DROP_COPY_LOG")
            for site in self.environment.trading_sites
        }
        return {site: log for site, log in found.items() if log is not None}

    def begin(self) -> Since:
        """Return where the accounts stand, for a comparison of what comes after.

        From who hears of an execution last to the venue, which knows first: whatever the
        venue executes after where its record stands, all others hear of after where they
        stand. Raises `EtcdError`, `psycopg.Error`.
        """
        told = {site: drop_copy.size(log) for site, log in self.drop_copy_logs().items()}
        read = secrets_of(self.target)
        held = {
            site: book_rows.held(at, read)
            for site, at in probes(self.target.services()).items()
            if site in self.environment.trading_sites
        }
        return Since(self.overview().tail, told, drop_copy.size(self.venue_record()), held)

    def drop_copies(self, since: Since) -> list[DropCopy]:
        """Return what the drop copy of every site has told it."""
        return [
            drop_copy.read(site, log, since.told.get(site, 0))
            for site, log in self.drop_copy_logs().items()
        ]

    def overview(self) -> Overview:
        """Return who leads and how every site describes itself; raises `EtcdError`."""

        async def ask() -> Overview:
            async with self._journal() as journal:
                sites = self.environment.trading_sites
                return await overview(journal, sites, patience_s=PATIENCE_S)

        return asyncio.run(ask())

    def records(self, after: int) -> list[JournalRecord]:
        """Return every record after one, the archive included."""
        return [
            each
            for batch in self.batches(after)
            for number, each in enumerate(batch.records, batch.first)
            if number > after
        ]

    def batches(self, after: int) -> list[Batch]:
        """Return every batch that holds a record after one, the archive included."""

        async def read() -> list[Batch]:
            found: list[Batch] = []
            async with self._journal() as journal:
                index, tail = after, await journal.tail(patience_s=PATIENCE_S)
                while index < tail:
                    for batch in await journal.read(index, tail):
                        found.append(batch)
                        index = batch.last
            return found

        return asyncio.run(read())

    def _journal(self) -> Journal:
        journal = open_journal(self.environment, self.target.services(), self.target.host)
        journal.archived = self._file(self.service("execution"), "TRADING_JOURNAL_ARCHIVE")
        return journal

    def _file(self, of: Service, setting: str) -> Path | None:
        """Return where a file that a setting names is read here; None where it names none."""
        named = of.environment.get(setting)
        return self.target.file(of.key, named) if named else None
