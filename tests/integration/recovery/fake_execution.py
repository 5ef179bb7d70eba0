"""The execution apps of two sites, as far as the journal's store shows them.

Each site rewrites its presence; the one that the leader key names by its owner sends
heartbeats and answers a handover request as it was told to. `test_fake.py` holds it to
the rules of `apps.core.leader`.
"""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Literal

import msgspec

from apps.core import etcd as store
from apps.core.journal import Beat, Journal, Leadership
from apps.core.sites import HANDOVER, Overview, Presence, overview, presence_key
from tests.integration.recovery.environment import journal
from tests.support.servers import EtcdServer, wait_for

ROUND_S = 0.005
PRESENCE_S = 0.1
BEAT_S = 0.02

Answer = Literal["grant", "refuse", "ignore"]


@dataclass
class FakeExecution:
    """What both sites do; a test changes it while they run."""

    answer: Answer = "grant"
    silent: set[str] = field(default_factory=set)
    """Sites whose process is frozen: nothing is written by them."""
    mute: set[str] = field(default_factory=set)
    """Sites that send no heartbeat when they lead."""
    ignores: set[str] = field(default_factory=set)
    """Requests that are not answered, by id."""
    says: dict[str, dict[str, Any]] = field(default_factory=dict)
    """What a site's presence says other than usual."""
    ahead_ns: dict[str, int] = field(default_factory=dict)
    """How far a site's clock is ahead."""
    asked: list[str] = field(default_factory=list)
    """The requests that were seen, by id."""

    def presence(self, site: str, seen: Overview) -> Presence:
        """Return what a site says of itself."""
        leads = seen.leader is not None and seen.leader.owner == owner(site)
        as_usual: dict[str, Any] = {
            "site": site,
            "owner": owner(site),
            "role": "leader" if leads else "follower",
            "epoch": seen.leader.epoch if seen.leader else 0,
            "index": seen.tail,
            "session_up": True,
            "market_seq": 1,
            "intents": "0-0",
            "inbound": {},
            "divergences": 0,
            "settings": "5e77",
            "release": "0.1.0",
            "fault": "",
            "at_ns": self.clock(site),
        }
        return Presence(**(as_usual | self.says.get(site, {})))

    def clock(self, site: str) -> int:
        """Return what the site's clock shows."""
        return time.time_ns() + self.ahead_ns.get(site, 0)

    async def run(self, journal: Journal, stop: threading.Event) -> None:
        """Be both sites until told to stop."""
        due = {"presence": 0.0, "beat": 0.0}
        while not stop.is_set():
            now = time.monotonic()
            seen = await overview(journal, ("a", "b"))
            if now >= due["presence"]:
                due["presence"] = now + PRESENCE_S
                for site in {"a", "b"} - self.silent:
                    said = msgspec.json.encode(self.presence(site, seen))
                    await _try(journal, [], [store.put(presence_key(journal, site), said)])
            led = seen.leader
            if led is not None and led.site not in self.silent and led.owner == owner(led.site):
                if led.site in self.mute:
                    pass
                elif now >= due["beat"] or (seen.beat and seen.beat.epoch != led.epoch):
                    due["beat"] = now + BEAT_S
                    await self._beat(journal, seen, led)
                await self._hand_over(journal, seen, led)
            await asyncio.sleep(ROUND_S)

    async def _beat(self, journal: Journal, seen: Overview, led: Leadership) -> None:
        beat = Beat(
            epoch=led.epoch,
            owner=led.owner,
            progress=seen.revision,
            kill_seen=0,
            at_ns=self.clock(led.site),
        )
        guard = store.mod_is(journal.key("leader"), seen.leader_mod)
        await _try(
            journal, [guard], [store.put(journal.key("heartbeat"), msgspec.json.encode(beat))]
        )

    async def _hand_over(self, journal: Journal, seen: Overview, led: Leadership) -> None:
        asked = seen.handover
        if asked is None or asked.epoch != led.epoch or asked.id in self.ignores:
            return
        if asked.id not in self.asked:
            self.asked.append(asked.id)
        guards = [
            store.mod_is(journal.key("leader"), seen.leader_mod),
            store.mod_is(journal.key(HANDOVER), seen.handover_mod),
        ]
        if self.answer == "grant":
            to = Leadership(
                epoch=led.epoch + 1, owner=owner(asked.to), site=asked.to, at_ns=time.time_ns()
            )
            await _try(
                journal,
                guards,
                [
                    store.put(journal.key("leader"), msgspec.json.encode(to)),
                    store.delete(journal.key(HANDOVER)),
                ],
            )
        elif self.answer == "refuse" and not asked.refused:
            refused = msgspec.structs.replace(asked, refused="an order is in doubt")
            put = store.put(journal.key(HANDOVER), msgspec.json.encode(refused))
            await _try(journal, guards, [put])


def owner(site: str) -> str:
    """Return the owner of a site's process."""
    return f"{site}-1"


async def _try(journal: Journal, guards: list[Any], ops: list[Any]) -> None:
    # A write whose answer is lost is made again in the next round, if it is still due.
    try:
        await journal.store.attempt(guards, ops, [])
    except store.OutcomeUnknown:
        return


@contextmanager
def execution(server: EtcdServer, name: str, leader: str | None = "a") -> Iterator[FakeExecution]:
    """Run the apps of an environment, of which one site leads epoch 1."""
    fake, stop = FakeExecution(), threading.Event()

    async def first() -> None:
        async with journal(server, name) as there:
            if not leader:
                return
            led = Leadership(epoch=1, owner=owner(leader), site=leader, at_ns=0)
            while (await overview(there, (), patience_s=5.0)).leader is None:
                await _try(there, [], [store.put(there.key("leader"), msgspec.json.encode(led))])

    async def serve() -> None:
        async with journal(server, name) as there:
            await fake.run(there, stop)

    asyncio.run(first())
    thread = threading.Thread(target=lambda: asyncio.run(serve()))
    thread.start()
    try:
        wait_for(lambda: set(look(server, name).presences) == {"a", "b"}, "both sites")
        yield fake
    finally:
        stop.set()
        thread.join()


def look(server: EtcdServer, name: str) -> Overview:
    """Return what stands in the journal's store."""

    async def ask() -> Overview:
        async with journal(server, name) as there:
            return await overview(there, ("a", "b"), patience_s=5.0)

    return asyncio.run(ask())


def write(server: EtcdServer, name: str, key: str, value: Any) -> None:
    """Write a key, or delete it where the value is None."""

    async def put() -> None:
        async with journal(server, name) as there:
            key_ = there.key(key)
            change = (
                store.delete(key_) if value is None else store.put(key_, msgspec.json.encode(value))
            )
            await there.store.attempt([], [change], [])

    asyncio.run(put())
