from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Self

import msgspec
import pytest

from apps.core.bus import MD, PORTFOLIO
from apps.core.messages import Decision, encode
from tests.integration.data.site import FakeExecution, Site, site
from tests.support.servers import wait_for

EXCHANGE_DAYS = 12
FIRST_LIVE = 5043


class Filling:
    """A `FakeExecution` on a thread of its own."""

    def __init__(self, here: Site) -> None:
        self.execution = FakeExecution(here.bus_server)
        self._thread = threading.Thread(target=lambda: asyncio.run(self.execution.run()))

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self.execution.stopped = True
        self._thread.join()


@pytest.fixture
def here() -> Iterator[Site]:
    with site() as made:
        yield made


def start_feed(here: Site, day_s: str) -> None:
    here.start("venue", here.venue_settings(day_s=day_s))
    here.start("data", here.data_settings(day_s=day_s))
    here.wait_ready("data")


def wait_decided(here: Site, days: int) -> list[Decision]:
    with here.explained("strategy", "data"):
        wait_for(lambda: len(here.decisions()) >= days, f"{days} decisions", 60)
    return here.decisions()


def once_each(decisions: list[Decision]) -> list[int]:
    """Return the decided days, after checking that each was decided once, in order."""
    seqs = [decision.seq for decision in decisions]
    assert seqs == list(range(seqs[0], seqs[0] + len(seqs)))
    return seqs


def test_one_decision_a_day_and_orders_on_days_of_rebalancing(here: Site) -> None:
    start_feed(here, "0")
    here.start("strategy", here.strategy_settings())
    here.wait_ready("strategy")
    with Filling(here) as filling:
        decisions = wait_decided(here, EXCHANGE_DAYS)
    assert once_each(decisions)[0] == FIRST_LIVE
    traded = [decision.seq for decision in decisions if decision.intents]
    assert traded
    assert {seq % 5 for seq in traded} == {0}
    first = next(decision for decision in decisions if decision.intents)
    assert set(first.targets) == {intent.symbol for intent in first.intents}
    stamps = first.stamps
    assert 0 < stamps.data_in <= stamps.published <= stamps.decided
    held = next(decision for decision in decisions if not decision.intents)
    assert held.note == "not a day of rebalancing"
    assert filling.execution.portfolio.positions
    assert here.metric("strategy", 'trading_strategy_warm{strategy="momentum"}') == 1
    assert here.metric(
        "strategy", 'trading_decisions_total{kind="held",strategy="momentum"}'
    ) >= len([d for d in decisions if not d.intents])
    pages = int(Path(f"/proc/{here.apps['strategy'].pid}/statm").read_text().split()[1])
    rss_mb = pages * os.sysconf("SC_PAGESIZE") / 2**20
    print(f"strategy RSS {rss_mb:.0f} MB")
    assert rss_mb < 300
    assert here.apps["strategy"].stop() == 0
    assert '"level": "error"' not in here.apps["strategy"].log()


def test_killed_at_any_time_it_decides_every_day_once(here: Site) -> None:
    start_feed(here, "0")
    here.start("strategy", here.strategy_settings())
    with Filling(here):
        for days in (4, 9, 14):
            wait_decided(here, days)
            here.apps["strategy"].kill()
            here.apps["strategy"].start()
        interrupted = wait_decided(here, 20)[:20]
    once_each(interrupted)
    # The same days without any kill give the same decisions.
    with site() as undisturbed:
        start_feed(undisturbed, "0")
        undisturbed.start("strategy", undisturbed.strategy_settings())
        with Filling(undisturbed):
            whole = wait_decided(undisturbed, 20)[:20]
    assert [(d.id, d.intents, d.targets) for d in interrupted] == [
        (d.id, d.intents, d.targets) for d in whole
    ]


@pytest.mark.parametrize("portfolio", [True, False])
def test_an_unjournaled_decision_is_waited_for_and_never_doubled(
    here: Site, portfolio: bool
) -> None:
    # Nobody takes decisions: the first rebalancing trades, the next may not add to it.
    if portfolio:
        client = here.valkey()
        client.set(PORTFOLIO, encode(FakeExecution(here.bus_server).portfolio))
        client.close()
    start_feed(here, "0.1")
    here.start("strategy", here.strategy_settings())
    decisions = wait_decided(here, 22)
    traded = [decision for decision in decisions if decision.intents]
    assert len(traded) == 1
    later = [d for d in decisions if d.seq > traded[0].seq and d.seq % 5 == 0]
    assert later
    for decision in later:
        assert decision.note.startswith(f"decision {traded[0].seq} is not journaled")
    waits = 'trading_strategy_waits_total{for_what="portfolio",strategy="momentum"}'
    assert here.metric("strategy", waits) <= len(later) + 1


def test_a_bus_that_lost_the_portfolio_does_not_look_like_a_first_start(here: Site) -> None:
    start_feed(here, "0.2")
    here.start("strategy", here.strategy_settings())
    with Filling(here):
        wait_for(lambda: any(d.intents for d in here.decisions()), "a first trade", 60)
    client = here.valkey()
    client.delete(PORTFOLIO)
    client.close()
    seen = here.decisions()[-1].seq
    with here.explained("strategy"):
        wait_for(lambda: here.decisions()[-1].seq > seen + 5, "a rebalancing later", 60)
    later = [d for d in here.decisions() if d.seq > seen + 1]
    assert all(not d.intents for d in later)
    notes = {d.note for d in later if d.seq % 5 == 0}
    assert len(notes) == 1
    assert notes.pop().endswith("the portfolio is not known")


def test_an_emptied_bus_gets_the_last_decision_again(here: Site) -> None:
    start_feed(here, "0")
    here.start("strategy", here.strategy_settings())
    (decision,) = wait_decided(here, 1)
    client = here.valkey()
    client.delete("intents")
    client.close()
    with here.explained("strategy"):
        wait_for(lambda: here.decisions() == [decision], "the same decision again")


def test_a_probe_is_answered_with_an_order_in_the_test_symbol(here: Site) -> None:
    start_feed(here, "600")
    here.start("strategy", here.strategy_settings())
    here.wait_ready("strategy")
    with Filling(here) as filling:
        wait_decided(here, 1)
        assert here.ask("data", "/probe", id="p-1").status_code == 200
        with here.explained("strategy"):
            wait_for(lambda: "momentum-p-1" in filling.execution.taken, "an answer")
        probe = filling.execution.taken["momentum-p-1"]
        assert filling.execution.portfolio.positions == {}
    (intent,) = probe.intents
    assert (intent.id, intent.symbol, intent.qty) == ("p-1", "ZVZZT", 1)
    assert 0 < probe.stamps.data_in <= probe.stamps.published <= probe.stamps.decided
    # It did the work of a day that trades, and moved nothing of its own.
    probes = 'trading_decisions_total{kind="probe",strategy="momentum"}'
    wait_for(lambda: here.metric("strategy", probes) == 1, "the probe counted")
    assert here.metric("strategy", 'trading_decided_seq{strategy="momentum"}') == FIRST_LIVE


def test_while_halted_it_holds(here: Site) -> None:
    client = here.valkey()
    halted = msgspec.structs.replace(FakeExecution(here.bus_server).portfolio, halted=True)
    client.set(PORTFOLIO, encode(halted))
    client.close()
    start_feed(here, "0.1")
    here.start("strategy", here.strategy_settings())
    decisions = wait_decided(here, 8)
    assert {d.note for d in decisions} == {"trading is halted"}


def test_readiness_says_what_is_missing(here: Site) -> None:
    here.start("strategy", here.strategy_settings())
    here.wait_ready("strategy")  # no history and no market data yet: nothing is overdue
    here.bus_server.process.kill()
    wait_for(lambda: here.ask("strategy", "/readyz").status_code == 503, "not ready")
    assert "bus" in here.ask("strategy", "/readyz").json()["detail"]
    here.bus_server.process.start()
    here.wait_ready("strategy")


@pytest.mark.parametrize(
    ("settings", "why"),
    [
        ({"strategy": "nonsense"}, "no strategy is called 'nonsense'"),
        ({"parameters": {"speed": 1}}, "it knows the parameters"),
    ],
)
def test_a_strategy_that_cannot_be_made_ends_the_app_with_the_reason(
    here: Site, settings: dict[str, object], why: str
) -> None:
    process = here.start("strategy", here.strategy_settings(**settings))
    wait_for(lambda: not process.alive, "the end")
    assert process.stop() == 1
    assert why in process.log()


def test_days_that_nobody_published_are_not_decided(here: Site) -> None:
    start_feed(here, "0")
    here.start("strategy", here.strategy_settings())
    wait_decided(here, 1)
    assert len(here.stream(MD)) == 1
