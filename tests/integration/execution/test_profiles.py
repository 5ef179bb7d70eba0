"""Every profile of the venue, under a stream of orders: none lost, none sent twice.

The leader is frozen and wakes, is killed and comes back, hands over; in the end journal and
venue agree order by order, and the state of every order is known.
"""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from decimal import Decimal

import httpx
import pytest

from apps.core.bus import INTENTS
from apps.core.messages import Decision, Intent, Side, TimeInForce
from apps.core.records import CancelsRequested, DoubtSettled, ReportSeen
from tests.integration.execution.pair import SITES, Load, Pair, hand_over, led_by, pair, under_load
from tests.integration.execution.platform import DAY, FAR, PRICES, TOKEN, eventually
from tests.support.process import freeze

SHARED = "OPS-ORD"

Profile = Mapping[str, object]


@contextlib.asynccontextmanager
async def frozen(running: Pair, site: str) -> AsyncIterator[None]:
    """Stop a site's execution where it is; it wakes at the end."""
    pid = running.execution[site].pid
    freeze(pid)
    try:
        yield
    finally:
        os.kill(pid, signal.SIGCONT)


def lines(running: Pair, kind: str) -> list[dict[str, str]]:
    """Return the lines of a kind in the venue's record."""
    with (running.home / "record.jsonl").open() as record:
        return [line for line in map(json.loads, record) if line["kind"] == kind]


async def until_known(running: Pair) -> None:
    """Wait until no order is in doubt: both sites are ready, and the leader says no more."""
    await running.until_ready(*SITES)


async def freeze_kill_and_hand_over(running: Pair, load: Load) -> None:
    """Move leadership three times, each time in another way."""
    async with frozen(running, "a"):
        await led_by(running, "b")
        await load.more()
    await until_known(running)
    await load.more()
    running.execution["b"].kill()
    await led_by(running, "a")
    await load.more()
    running.execution["b"].start()
    await until_known(running)
    await hand_over(running, "b")
    await load.more()
    await until_known(running)


@pytest.mark.parametrize(
    "profile",
    [
        {"duplicate_check": "session"},
        {"duplicate_check": "none"},
        {"duplicate_check": "none", "on_disconnect": "cancel"},
        {"status_request": False},
        {"status_scope": "session", "cross_session_cancel": False},
        {"sessions": "single", "second_logon": "evict", "duplicate_check": "none"},
        {"sessions": "single", "second_logon": "evict", "on_disconnect": "cancel"},
    ],
    ids=lambda profile: "-".join(map(str, profile.values())),
)
def test_leadership_moves_under_every_profile(profile: Profile) -> None:
    under_load(freeze_kill_and_hand_over, profile=profile, doubtful=True)


def test_a_deposed_site_does_not_put_its_successor_out() -> None:
    async def strike(running: Pair, load: Load) -> None:
        async with frozen(running, "a"):
            await led_by(running, "b")
            await load.more()
        await running.until_ready(*SITES)
        await asyncio.sleep(2.5)  # an engine that dials by itself would have, twice
        await load.more()
        logons = [line for line in lines(running, "logon") if line["session"] == SHARED]
        assert len(logons) == len(await running.epochs()) == 2

    under_load(strike, profile={"sessions": "single", "second_logon": "evict"})


def test_at_a_venue_that_refuses_a_second_logon_the_session_is_handed_on() -> None:
    async def strike(running: Pair, load: Load) -> None:
        running.execution["a"].kill()
        await led_by(running, "b")
        await load.more()
        running.execution["a"].start()
        await running.until_ready("a")
        await hand_over(running, "a")
        await load.more()

    under_load(strike, profile={"sessions": "single"})


@contextlib.asynccontextmanager
async def resting(running: Pair, count: int) -> AsyncIterator[list[str]]:
    """Have day orders at the venue that nobody trades with; yield their ids."""
    low = PRICES["AAPL"] * Decimal("0.98")
    intents = tuple(
        Intent(
            id=f"rest-0-AAPL-{leg}",
            symbol="AAPL",
            side=Side.BUY,
            qty=1,
            limit=low.quantize(Decimal("0.01")),
            tif=TimeInForce.DAY,
        )
        for leg in range(count)
    )
    decision = Decision(strategy="rest", seq=0, day=DAY, expires_seq=FAR, intents=intents)
    buses = [running.bus(site) for site in SITES]
    for bus in buses:
        await bus.publish(INTENTS, decision)
    ids = [intent.id for intent in intents]
    await eventually(
        "they rest", lambda: {line["cl_ord_id"] for line in lines(running, "accept")} >= {*ids}
    )
    try:
        yield ids
    finally:
        for bus in buses:
            await bus.close()


def cancelled(running: Pair) -> set[str]:
    """Return the orders that the venue has cancelled."""
    return {line["orig_cl_ord_id"] for line in lines(running, "cancel")}


async def halt(running: Pair) -> None:
    """Throw the kill switch."""
    async with running.journal() as journal:
        await journal.halt(by="alice", reason="a test")


def on_a_pair(work: Callable[[Pair], Awaitable[None]], profile: Profile) -> None:
    async def go(running: Pair) -> None:
        await running.market()
        await running.until_ready(*SITES)
        await work(running)
        found = await running.findings()
        assert found.clean, found

    with pair(profile=profile) as running:
        asyncio.run(go(running))


def test_a_halt_cancels_on_the_session_that_may() -> None:
    """The leader's venue takes a cancel only on the session of the order: the other site's."""

    async def work(running: Pair) -> None:
        assert await running.leader() == "a"
        async with resting(running, 3) as ids:
            await hand_over(running, "b")
            await halt(running)
            await eventually(
                "all are cancelled",
                lambda: cancelled(running) >= {*ids},
            )
            cancels = [r for r in await running.records() if isinstance(r, CancelsRequested)]
            assert {order for record in cancels for order in record.cancels} == {*ids}

    on_a_pair(work, {"cross_session_cancel": False})


def test_what_the_throttle_refuses_is_made_again() -> None:
    """Orders and cancels: none is lost, none is doubled, and none is taken for rejected."""
    most = 5

    async def work(running: Pair) -> None:
        async with resting(running, 3 * most) as ids:
            await halt(running)
            await eventually(
                "all are cancelled",
                lambda: cancelled(running) >= {*ids},
            )
        records = await running.records()
        refused = [r.refused for r in records if isinstance(r, ReportSeen) and r.throttled]
        again = [r.step for r in records if isinstance(r, DoubtSettled)]
        assert {*refused} >= {"D"}
        assert {*again} == {"reenter"}
        assert lines(running, "reject") == []

    on_a_pair(work, {"max_requests_per_s": most})


@pytest.mark.parametrize("across", [True, False], ids=["across", "own-session"])
def test_without_the_journal_a_site_cancels_for_one_that_is_gone_where_the_venue_lets_it(
    across: bool,
) -> None:
    def stop(running: Pair, *, others: bool) -> dict[str, list[str]]:
        answer = httpx.post(
            f"http://127.0.0.1:{running.settings['b'].http_port}/stop",
            json={"by": "alice", "reason": "a test", "others": others},
            headers={"Authorization": f"Bearer {TOKEN}"},
        )
        assert answer.status_code == httpx.codes.OK, answer.text
        done: dict[str, list[str]] = answer.json()
        return done

    async def work(running: Pair) -> None:
        assert await running.leader() == "a"
        async with resting(running, 3) as ids:
            running.etcd.process.kill()
            running.execution["a"].kill()
            await eventually("it is said", lambda: "journal" in running.ready("b"))
            own = stop(running, others=False)
            assert (own["cancelled"], own["left"]) == ([], ids)
            all_of_them = stop(running, others=True)
            assert all_of_them["cancelled"] == (ids if across else [])
            assert all_of_them["left"] == ([] if across else ids)
            if across:
                await eventually("all are cancelled", lambda: cancelled(running) >= {*ids})
            running.etcd.process.start()
            running.execution["a"].start()
            await eventually("all are cancelled", lambda: cancelled(running) >= {*ids})
            await running.until_ready(*SITES)
        async with running.journal() as journal:
            assert (await journal.kill_switch()).halted

    on_a_pair(work, {"cross_session_cancel": across})
