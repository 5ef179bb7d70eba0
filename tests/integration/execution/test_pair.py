"""Leadership moves between two sites under a stream of orders: none lost, none sent twice."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal

from tests.integration.execution.pair import SITES, Load, Pair, ask, hand_over, led_by, under_load
from tests.integration.execution.platform import eventually
from tests.support.process import freeze


def test_the_other_site_takes_over_from_a_leader_that_was_killed() -> None:
    async def strike(running: Pair, load: Load) -> None:
        for victim, heir in (("a", "b"), ("b", "a")):
            running.execution[victim].kill()
            await led_by(running, heir)
            await load.more()
            running.execution[victim].start()
            await running.until_ready(victim)
        assert await running.epochs() == ["a", "b", "a"]

    under_load(strike)


def test_a_frozen_leader_wakes_as_a_follower_and_sends_nothing() -> None:
    async def strike(running: Pair, load: Load) -> None:
        pid = running.execution["a"].pid
        freeze(pid)
        try:
            await led_by(running, "b")
            await load.more()
        finally:
            os.kill(pid, signal.SIGCONT)
        await running.until_ready("a")
        await load.more()
        assert await running.epochs() == ["a", "b"]

    under_load(strike)


async def refused(running: Pair) -> str:
    """Return why the leader refused the handover that was asked for, once it has."""
    request = (await running.overview()).handover
    return request.refused if request else ""


def test_the_epoch_is_handed_over_on_request_there_and_back() -> None:
    async def strike(running: Pair, load: Load) -> None:
        for to in ("b", "a", "b"):
            await ask(running, to)
            await led_by(running, to)
            await load.more()
        assert await running.epochs() == ["a", "b", "a", "b"]
        seen = await running.overview()
        assert seen.handover is None
        assert {s: p.role for s, p in seen.presences.items()} == {"a": "follower", "b": "leader"}

    under_load(strike)


def test_a_handover_to_a_site_that_could_not_lead_is_refused_with_the_reason() -> None:
    async def strike(running: Pair, load: Load) -> None:
        running.valkeys["b"].process.kill()
        try:
            async with asyncio.timeout(20):
                while not (await running.overview()).presences["b"].fault:
                    await asyncio.sleep(0.05)
            await ask(running, "b")
            async with asyncio.timeout(20):
                while not (why_not := await refused(running)):
                    await asyncio.sleep(0.02)
        finally:
            running.valkeys["b"].process.start()
        assert why_not == "site b could not lead: the bus does not answer"
        assert await running.leader() == "a"

    under_load(strike)


def test_a_leader_that_cannot_trade_gives_way_to_a_site_that_can() -> None:
    async def strike(running: Pair, load: Load) -> None:
        running.valkeys["a"].process.kill()
        try:
            await led_by(running, "b")
        finally:
            running.valkeys["a"].process.start()
        await load.more()

    under_load(strike)


def test_both_gone_and_one_comes_back() -> None:
    async def strike(running: Pair, load: Load) -> None:
        for site in SITES:
            running.execution[site].kill()
        running.execution["b"].start()
        await led_by(running, "b")
        await load.more()
        running.execution["a"].start()
        await running.until_ready("a")

    under_load(strike)


def test_batches_stay_in_the_journal_until_both_sites_have_archived_them() -> None:
    async def strike(running: Pair, load: Load) -> None:
        def archived(site: str) -> int:
            files = sorted((running.home / f"archive-{site}").glob("*.jsonl.gz"))
            return int(files[-1].name.partition(".")[0].partition("-")[2]) if files else 0

        await eventually("both sites archive", lambda: min(map(archived, SITES)) > 0)

    under_load(strike, journal_keep_batches=30)


def test_a_lost_store_of_fix_numbers_costs_no_order_and_no_report() -> None:
    async def strike(running: Pair, load: Load) -> None:
        running.execution["a"].kill()
        shutil.rmtree(running.home / "fix-store-a")
        await led_by(running, "b")
        await load.more()
        running.execution["a"].start()
        await running.until_ready("a")
        await hand_over(running, "a")
        await load.more()

    under_load(strike)
