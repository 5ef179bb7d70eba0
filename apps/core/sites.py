"""What the sites of an environment tell one another through the journal's store.

Keys beside those of `apps.core.journal`: `site/{site}` holds the `Presence` of a site's
execution app, rewritten by it a few times a second; `handover` holds a request that the
leader hand its epoch over, until the leader has done so or refused. Neither is on the
order path: leadership itself is the leader key alone.
"""

from __future__ import annotations

from typing import Literal

import msgspec

from apps.core import etcd
from apps.core.journal import UPDATE, Beat, Journal, Leadership
from apps.core.terms import Update, decode

HANDOVER = "handover"


class Presence(msgspec.Struct, frozen=True, kw_only=True):
    """A site's execution app as it describes itself.

    `index` is the last journal record applied, `inbound` the last MsgSeqNum accounted for
    in the journal on each of the site's FIX sessions, `intents` the id on the site's bus
    up to which every decision is journaled or dropped. `fault` is empty where the site
    could lead now.
    """

    site: str
    owner: str
    role: Literal["leader", "follower"]
    epoch: int
    """The epoch that this process leads or follows."""
    index: int
    session_up: bool
    """Whether its order session is logged on; of a site that follows where all sites share
    one: whether its drop copy is."""
    market_seq: int
    intents: str
    inbound: dict[str, int]
    divergences: int
    settings: str
    """Digest of the settings that sites must agree on."""
    release: str
    fault: str
    at_ns: int
    archived: int = 0
    """The last journal record that this site has archived."""
    renewed: int = 0
    """The epoch of another site under which this one's order session was logged on anew."""
    outbound: int = 0
    """The next outbound MsgSeqNum of an order session that the sites share."""
    v: int = 1


class Handover(msgspec.Struct, frozen=True, kw_only=True):
    """A request that the leader of `epoch` hand over to a site; `refused` is its answer."""

    id: str
    to: str
    epoch: int
    by: str
    at_ns: int
    refused: str = ""
    v: int = 1


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """Who leads and who is there, read in one linearizable transaction.

    `mods` are the revisions that last wrote the leader key (0: nobody ever led) and the
    handover key (0: none is asked for).
    """

    leader: Leadership | None
    leader_mod: int
    tail: int
    presences: dict[str, Presence]
    handover: Handover | None
    handover_mod: int
    revision: int
    beat: Beat | None = None
    """The last heartbeat, of this leader or of one before."""
    update: Update | None = None
    """The update that is recorded, if one is."""


def presence_key(journal: Journal, site: str) -> str:
    """Return the key of a site's presence."""
    return journal.key(f"site/{site}")


async def recorded_update(journal: Journal, *, patience_s: float | None = None) -> Update | None:
    """Return the update that is recorded, read linearizably; `Unreachable` beyond the patience."""
    key = journal.key(UPDATE)
    answer = await journal.store.read(etcd.get(key), patience_s=patience_s)
    return decode(etcd.pair(answer.responses[0].response_range, key).value)


async def overview(
    journal: Journal, sites: tuple[str, ...], *, patience_s: float | None = None
) -> Overview:
    """Return who leads and which sites are there; `Unreachable` beyond the patience."""
    names = [
        journal.key("leader"),
        journal.key("tail"),
        journal.key(HANDOVER),
        journal.key("heartbeat"),
        journal.key(UPDATE),
        *(presence_key(journal, site) for site in sites),
    ]
    answer = await journal.store.read(*(etcd.get(name) for name in names), patience_s=patience_s)
    leader, tail, handover, beat, update, *found = (
        etcd.pair(part.response_range, name)
        for part, name in zip(answer.responses, names, strict=True)
    )
    return Overview(
        leader=msgspec.json.decode(leader.value, type=Leadership) if leader.mod else None,
        leader_mod=leader.mod,
        tail=int(tail.value or b"0"),
        presences={
            site: msgspec.json.decode(pair.value, type=Presence)
            for site, pair in zip(sites, found, strict=True)
            if pair.mod
        },
        handover=msgspec.json.decode(handover.value, type=Handover) if handover.mod else None,
        handover_mod=handover.mod,
        revision=int(answer.header.revision),
        beat=msgspec.json.decode(beat.value, type=Beat) if beat.mod else None,
        update=decode(update.value),
    )
