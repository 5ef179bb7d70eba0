"""Two sites of real processes on one journal and one venue; a client submits to both."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import time
from collections import Counter
from collections.abc import Awaitable, Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import msgspec

from apps.core import etcd as store
from apps.core.bus import INTENTS, MD, ORDERS, START, Bus, BusDown, BusSlow
from apps.core.journal import Journal
from apps.core.messages import Close, DecisionDone, Side, Stamps
from apps.core.records import EpochTaken, JournalRecord
from apps.core.settings import ExecutionSettings
from apps.core.sites import HANDOVER, Handover, Overview, overview
from apps.execution.reconcile import Findings, compare, of_journal, of_venue
from opsctl.drills import drop_copy, record
from tests.integration.execution.platform import (
    DAY,
    PRICES,
    TOKEN,
    app,
    decision,
    eventually,
    venue_settings,
)
from tests.support import servers
from tests.support.asking import NO_TLS
from tests.support.servers import Process, ValkeyServer, free_port

SITES = ("a", "b")
FIRM: Mapping[str, object] = {}
"""What the venue promises by default: it rejects a duplicate for the whole firm."""
LEGS = (("AAPL", Side.BUY, 100), ("GE", Side.SELL, 50))


@dataclass
class Pair:
    """What runs."""

    home: Path
    settings: dict[str, ExecutionSettings]
    valkeys: dict[str, ValkeyServer]
    etcd: servers.EtcdServer
    execution: dict[str, Process] = field(default_factory=dict)

    def bus(self, site: str) -> Bus:
        """Return a client of a site's bus."""
        return Bus("127.0.0.1", self.valkeys[site].port, self.valkeys[site].password)

    def journal(self) -> Journal:
        """Return a reader of the journal."""
        return Journal.of(self.settings["a"])

    def ready(self, site: str) -> str:
        """Return what a site's readiness says; empty when it is ready."""
        try:
            answer = httpx.get(
                f"http://127.0.0.1:{self.settings[site].http_port}/readyz",
                headers={"Authorization": f"Bearer {TOKEN}"},
                verify=NO_TLS,
            )
        except httpx.TransportError as fault:
            return f"no answer: {fault}"
        return "" if answer.status_code == 200 else str(answer.json()["detail"])

    async def until_ready(self, *sites: str) -> None:
        """Wait until sites lead or follow."""
        for site in sites:
            try:
                await eventually(site, lambda site=site: not self.ready(site))  # type: ignore[misc]
            except AssertionError as late:
                told = f"{self.ready(site)}\n{self.execution[site].log()[-3_000:]}"
                raise AssertionError(told) from late

    async def overview(self) -> Overview:
        """Return who leads."""
        async with self.journal() as journal:
            return await overview(journal, SITES, patience_s=10.0)

    async def leader(self) -> str:
        """Return the site that leads; empty where nobody does."""
        held = (await self.overview()).leader
        return held.site if held else ""

    async def market(self, seq: int = 0) -> None:
        """Publish a day of closes at both sites."""
        for site in SITES:
            bus = self.bus(site)
            close = Close(seq=seq, day=DAY, event_ns=1, prices=PRICES, stamps=Stamps(data_in=1))
            await bus.publish(MD, close)
            await bus.close()

    async def records(self) -> list[JournalRecord]:
        """Return everything that is journaled."""
        async with self.journal() as journal:
            tail, found = await journal.tail(), list[JournalRecord]()
            while len(found) < tail:
                for batch in await journal.read(len(found), tail):
                    found += batch.records
            return found

    async def epochs(self) -> list[str]:
        """Return the sites that led, in their order."""
        return [r.site for r in await self.records() if isinstance(r, EpochTaken)]

    async def findings(self) -> Findings:
        """Return what the journal and the venue's record disagree about."""
        venue = of_venue((self.home / "record.jsonl").read_bytes().splitlines())
        return compare(venue, of_journal(await self.records()))

    def told(self) -> bool:
        """Whether the drop copy of every site says of executions what the venue's record does."""
        executed = record.read((self.home / "record.jsonl").read_bytes().splitlines()).executions
        copies = [drop_copy.read(site, self.home / f"drop-copy-{site}.log") for site in SITES]
        return all(c.executions == executed and not c.contradicted for c in copies)


@contextlib.contextmanager
def pair(*, profile: Mapping[str, object] = FIRM, **overrides: object) -> Iterator[Pair]:
    """Run etcd, a venue, and for each site a Valkey and execution.

    `profile` is what the venue does and what execution believes of it; what only one of them
    knows, only that one is told.
    """
    with contextlib.ExitStack() as stack:
        home = stack.enter_context(servers.folder())
        (home / "token").write_text(TOKEN)
        (home / "fix").write_text("fix-password")
        etcd = stack.enter_context(servers.etcd())
        valkeys = {site: stack.enter_context(servers.valkey()) for site in SITES}
        fix_port = free_port()
        links = {site: free_port() for site in SITES}
        made = Pair(home, {}, valkeys, etcd)
        for site in SITES:
            made.settings[site] = ExecutionSettings.of(
                **{
                    "environment": "test",
                    "site": site,
                    "service": "execution",
                    "http_port": free_port(),
                    "http_token_file": home / "token",
                    "journal_endpoints": [etcd.endpoint],
                    "journal_ca_file": etcd.certificates.ca,
                    "journal_cert_file": etcd.certificates.client_cert,
                    "journal_key_file": etcd.certificates.client_key,
                    "journal_archive": home / f"archive-{site}",
                    "bus_port": valkeys[site].port,
                    "bus_password_file": valkeys[site].password_file,
                    "fix_port": fix_port,
                    "fix_password_file": home / "fix",
                    "fix_store": home / f"fix-store-{site}",
                    "drop_copy_log": home / f"drop-copy-{site}.log",
                    "max_orders_per_s": 100_000,
                    "max_position_notional_usd": "100000000",
                    "max_gross_notional_usd": "100000000",
                    # Tests share two cores with others: no wrong suspicion may disturb them.
                    "detection_ms": 400,
                    "sites": list(SITES),
                    "peer_port": links[site],
                    "peers": {s: f"127.0.0.1:{port}" for s, port in links.items() if s != site},
                }
                | {k: v for k, v in profile.items() if k in ExecutionSettings.model_fields}
                | overrides
            )
            made.execution[site] = app(
                home, f"execution-{site}", "apps.execution", made.settings[site]
            )
        venue = venue_settings(home, fix_port, free_port())
        behind = {"fix_inner_port": free_port()} if profile.get("second_logon") == "evict" else {}
        venue = type(venue).of(**{**venue.model_dump(), "sites": list(SITES), **profile, **behind})
        process = app(home, "venue", "apps.venue", venue)
        for one in (process, *made.execution.values()):
            stack.callback(one.stop)
            one.start()
        yield made


class Load:
    """Submits the same decisions to both sites, and hears what is done on either bus."""

    def __init__(self, running: Pair) -> None:
        """Start at once, on the running loop."""
        self.submitted = 0
        self.done: dict[str, DecisionDone] = {}
        self._stop = asyncio.Event()
        self._buses = [running.bus(site) for site in SITES for _ in range(2)]
        self._tasks = [
            asyncio.create_task(self._submit()),
            *(asyncio.create_task(self._hear(bus)) for bus in self._buses[::2]),
        ]

    async def _submit(self) -> None:
        for number in itertools.count():
            if self._stop.is_set():
                return
            one = decision(number, *LEGS)
            for bus in self._buses[1::2]:
                with contextlib.suppress(BusDown, BusSlow):  # then the other site has it
                    await bus.publish(INTENTS, one)
            self.submitted += 1
            await asyncio.sleep(0.01)

    async def _hear(self, bus: Bus) -> None:
        async for _, message in bus.follow(ORDERS, START):
            if isinstance(message, DecisionDone):
                self.done.setdefault(message.decision, message)

    async def more(self, count: int = 10) -> None:
        """Wait until so many more decisions are done."""
        wanted = len(self.done) + count
        await eventually(f"{count} more decisions are done", lambda: len(self.done) >= wanted)

    async def settle(self) -> None:
        """Submit nothing more, and wait until everything submitted is done."""
        self._stop.set()
        await self._tasks[0]
        await eventually("every decision is done", lambda: len(self.done) >= self.submitted)

    async def close(self) -> None:
        """Submit and hear nothing more; what is left open would fail some later test."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for bus in self._buses:
            await bus.close()


def under_load(
    strike: Callable[[Pair, Load], Awaitable[None]],
    *,
    profile: Mapping[str, object] = FIRM,
    doubtful: bool = False,
    **settings: object,
) -> None:
    """Lead at site a, strike under load, settle; journal and venue must then agree.

    `doubtful`: an order may stay in doubt for some time, and its symbol is closed meanwhile.
    """

    async def go(running: Pair) -> None:
        await running.market()
        await running.until_ready(*SITES)
        assert await running.leader() == "a"
        load = Load(running)
        try:
            await load.more(20)
            await strike(running, load)
            await load.settle()
        finally:
            await load.close()
        await running.until_ready(*SITES)
        found = await running.findings()
        assert found.clean, found
        await eventually("drop copies that tell what the venue did", running.told)
        verdicts = Counter(done.verdict for done in load.done.values())
        assert sum(verdicts.values()) == load.submitted
        assert {*verdicts} <= {"done", "refused"}
        refused = [one.reason for one in load.done.values() if one.verdict == "refused"]
        assert not refused or doubtful, refused[0]
        assert all("in doubt" in reason for reason in refused), refused

    with pair(profile=profile, **settings) as running:
        asyncio.run(go(running))


async def led_by(running: Pair, site: str) -> None:
    """Wait until a site leads."""
    until = time.monotonic() + 30
    while await running.leader() != site:
        if time.monotonic() > until:
            seen = await running.overview()
            raise AssertionError(f"{site} does not lead: {seen}")
        await asyncio.sleep(0.02)


async def ask(running: Pair, to: str) -> None:
    """Ask the leader to hand over, as opsctl does."""
    async with running.journal() as journal:
        seen = await overview(journal, SITES, patience_s=10.0)
        assert seen.leader is not None
        epoch = seen.leader.epoch
        request = Handover(id=f"to-{to}-{epoch}", to=to, epoch=epoch, by="alice", at_ns=0)
        key = journal.key(HANDOVER)
        put = store.put(key, msgspec.json.encode(request))
        free = store.mod_is(key, seen.handover_mod)
        assert (await journal.store.attempt([free], [put], [])).succeeded


async def hand_over(running: Pair, to: str) -> None:
    """Ask until a site leads: one that has just come back may not be thought able yet."""
    async with asyncio.timeout(30):
        while await running.leader() != to:
            seen = await running.overview()
            if seen.handover is None or seen.handover.refused:
                with contextlib.suppress(store.OutcomeUnknown):  # the next look tells
                    await ask(running, to)
            await asyncio.sleep(0.05)
