from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from typing import cast

import psycopg

from apps.data.normalize import Normalized, Priced, Seen
from apps.data.recorder import Recorder
from apps.data.store import Entry, Store


class FakeStore:
    """The books as the recorder sees them: days that survive, and an outage on demand.

    The real ones are killed under it in tests/integration/data.
    """

    def __init__(self) -> None:
        self.days: list[int] = []
        self.away = False

    def _answer(self) -> None:
        if self.away:
            raise psycopg.OperationalError("away")

    async def open(self) -> None:
        self._answer()

    async def position(self) -> int:
        self._answer()
        return self.days[-1] if self.days else -1

    async def seen(self) -> Seen:
        return Seen(seq=await self.position())

    async def append(self, entries: Sequence[Entry]) -> int:
        self._answer()
        self.days += [entry.normalized.seen.seq for entry in entries]
        return self.days[-1]


def entry(seq: int) -> Entry:
    return Entry(1, "feed", Normalized(Seen(seq=seq), Priced(seq, "2020-01-01", 1, {}), ()))


class Story:
    """A recorder with its store, and what it asked of the venue."""

    def __init__(self, limit: int) -> None:
        self.store = FakeStore()
        self.rewound: list[int] = []
        self.recorder = Recorder(
            cast("Store", self.store),
            lambda: 2,
            on_overflow=lambda seen: self.rewound.append(seen.seq),
            limit=limit,
        )

    async def settle(self) -> None:
        async with asyncio.timeout(5):
            while not self.recorder.idle:
                await asyncio.sleep(0.005)


def tell(story: Story, acts: list[object]) -> None:
    """Run a recorder through days (numbers), "away", "back" and "lose" (all but the first)."""

    async def run() -> None:
        working = asyncio.create_task(story.recorder.run())
        for act in acts:
            if isinstance(act, int):
                story.recorder.put(entry(act))
            elif act == "lose":
                del story.store.days[1:]
            else:
                if act == "back":
                    await asyncio.sleep(0.02)
                story.store.away = act == "away"
            if not story.store.away:
                await story.settle()
        working.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await working

    asyncio.run(run())


def test_what_comes_is_stored_in_order() -> None:
    story = Story(limit=10)
    tell(story, [0, 1, 2])
    assert story.store.days == [0, 1, 2]
    assert story.recorder.stored == 2
    assert story.rewound == []


def test_an_outage_is_buffered() -> None:
    story = Story(limit=10)
    tell(story, [0, "away", 1, 2, 3, "back"])
    assert story.store.days == [0, 1, 2, 3]
    assert story.rewound == []
    assert story.recorder.trouble == ""


def test_a_buffer_that_was_full_means_asking_again_from_what_is_stored() -> None:
    story = Story(limit=3)
    tell(story, [0, 1, "away", 2, 3, 4, 5, 6, "back", 2, 3])
    assert story.rewound == [1]
    assert story.store.days == [0, 1, 2, 3]


def test_books_that_came_back_with_less_are_filled_from_the_venue() -> None:
    story = Story(limit=10)
    tell(story, [0, 1, 2, "away", 3, "lose", "back"])
    assert story.rewound == [0]
    assert story.store.days == [0]
