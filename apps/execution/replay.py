"""Replaying the journal: from the newest snapshot to the tail."""

from __future__ import annotations

import asyncio
import zlib
from collections import deque

import msgspec
import structlog

from apps.core.journal import Journal
from apps.core.messages import DecisionDone, Fill, OrderUpdate
from apps.execution.actions import Publish
from apps.execution.apply import apply
from apps.execution.state import State, decode, encode

log = structlog.get_logger()

KEPT_MESSAGES = 5_000
"""How many of the last messages are told again where the bus has lost them."""


class Replayed(msgspec.Struct, frozen=True, kw_only=True):
    """What the journal says up to its tail, and what the bus was last told of it."""

    state: State
    messages: tuple[OrderUpdate | Fill | DecisionDone, ...]


def pack(state: State) -> bytes:
    """Return a state as a snapshot holds it."""
    return zlib.compress(encode(state), level=1)


def unpack(raw: bytes) -> State:
    """Return the state of a snapshot."""
    return decode(zlib.decompress(raw))


async def replay(journal: Journal, tail: int) -> Replayed:
    """Return the state after record `tail`; raises `apps.core.journal.Gap` where it is lost."""
    snapshot = await journal.snapshot()
    state = unpack(snapshot.state) if snapshot else State()
    messages: deque[OrderUpdate | Fill | DecisionDone] = deque(maxlen=KEPT_MESSAGES)
    start = state.index
    while state.index < tail:
        for batch in await journal.read(state.index, tail):
            for record in batch.records:
                actions = apply(state, record)
                messages.extend(a.message for a in actions if isinstance(a, Publish))
        await asyncio.sleep(0)
    log.info("replayed", snapshot=start, tail=state.index, open_orders=len(state.open))
    return Replayed(state=state, messages=tuple(messages))
