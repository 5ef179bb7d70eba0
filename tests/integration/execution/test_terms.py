"""Sites of other settings or another release are no standby, but during a recorded update."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import msgspec

from apps.core import etcd as store
from apps.core.journal import UPDATE
from apps.core.settings import ExecutionSettings
from apps.core.terms import Terms, Update
from tests.integration.execution.pair import SITES, Pair, led_by, pair
from tests.integration.execution.platform import app, eventually


def _as(running: Pair, site: str, *, release: str = "", **settings: object) -> None:
    """Start a site anew: with other settings, or as another release says that it is."""
    running.execution[site].stop()
    given = running.settings[site].model_dump() | settings
    running.settings[site] = ExecutionSettings.of(**given)
    running.execution[site] = app(
        running.home,
        f"execution-{site}",
        "apps.execution",
        running.settings[site],
        ahead=_released(running.home, release) if release else None,
    )
    running.execution[site].start()


def _released(home: Path, release: str) -> Path:
    """Return a folder that says that opsctl has this release; the code is what it is."""
    folder = home / f"release-{release}"
    told = folder / f"opsctl-{release}.dist-info"
    told.mkdir(parents=True, exist_ok=True)
    (told / "METADATA").write_text(f"Metadata-Version: 2.1\nName: opsctl\nVersion: {release}\n")
    return folder


async def _says(running: Pair, site: str, *words: str) -> None:
    await eventually(
        f"{site} says {words}", lambda: all(word in running.ready(site) for word in words)
    )


async def _terms(running: Pair) -> tuple[Terms, ...]:
    seen = (await running.overview()).presences
    return tuple(Terms(release=p.release, settings=p.settings) for p in seen.values())


async def _updating(running: Pair, terms: tuple[Terms, ...]) -> None:
    """Record an update, or take the one away that is."""
    update = Update(run="r", by="alice", at_ns=0, terms=terms)
    async with running.journal() as journal:
        journal.store.deadline_s = 5.0
        key = journal.key(UPDATE)
        change = store.put(key, msgspec.json.encode(update)) if terms else store.delete(key)
        await journal.store.attempt([], [change], [])


async def _stands_aside(running: Pair, site: str) -> None:
    """Wait until a site describes itself as one that nobody hands over to."""
    async with asyncio.timeout(20):
        while "the settings differ" not in (await running.overview()).presences[site].fault:
            await asyncio.sleep(0.05)


async def _silent(running: Pair) -> None:
    """Wait until the leader has been silent for far longer than the detection time."""
    async with running.journal() as journal:
        until = time.monotonic() + 30
        while True:
            beat = await journal.beat(patience_s=5.0)
            assert beat is not None
            if journal.clock() - beat.at_ns > 3_000_000_000:
                return
            assert time.monotonic() < until
            await asyncio.sleep(0.1)


def _hot(go: Callable[[Pair], Awaitable[None]]) -> None:
    with pair() as running:

        async def whole() -> None:
            await running.market()
            await running.until_ready(*SITES)
            await go(running)

        try:
            asyncio.run(whole())
        finally:
            for process in running.execution.values():
                process.stop()


def test_other_settings_do_not_take_over_until_an_update_names_them() -> None:
    async def go(running: Pair) -> None:
        before = (await _terms(running))[0]
        _as(running, "b", max_order_shares=7)
        await _says(running, "b", "the settings differ from those of site a", before.settings)
        seen = await running.overview()
        assert seen.leader is not None
        assert (seen.leader.site, seen.leader.settings) == ("a", before.settings)
        await _stands_aside(running, "b")
        running.execution["a"].kill()
        await _silent(running)
        assert await running.epochs() == ["a"]
        await _updating(running, await _terms(running))
        await led_by(running, "b")
        await running.until_ready("b")
        # The update is over, and a comes back as it was: now that is the one which differs.
        await _updating(running, ())
        running.execution["a"].start()
        await _says(running, "a", "the settings differ from those of site b")
        _as(running, "a", max_order_shares=7)
        await running.until_ready(*SITES)
        assert await running.epochs() == ["a", "b"]

    _hot(go)


def test_the_next_release_is_no_standby_and_yet_takes_over_from_a_dead_leader() -> None:
    async def go(running: Pair) -> None:
        (mine,) = {one.release for one in await _terms(running)}
        major, minor = mine.split(".")[:2]
        later, far = f"{major}.{int(minor) + 1}.0", f"{major}.{int(minor) + 2}.0"
        _as(running, "b", release=far)
        await _says(running, "b", "the release differs from that of site a", f"{far} here")
        running.execution["a"].kill()
        await _silent(running)
        assert await running.epochs() == ["a"], "two releases on, it does not take over"
        running.execution["a"].start()
        await running.until_ready("a")
        _as(running, "b", release=later)
        await _says(running, "b", "the release differs from that of site a", f"{later} here")
        await _updating(running, await _terms(running))
        await running.until_ready("b")
        await _updating(running, ())
        await _says(running, "b", "the release differs")
        running.execution["a"].kill()
        await led_by(running, "b")
        seen = await running.overview()
        assert seen.leader is not None
        assert seen.leader.release == later
        running.execution["a"].start()
        await _says(running, "a", "the release differs from that of site b", f"{later} there")

    _hot(go)
