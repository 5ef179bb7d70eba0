"""Two whole sites on one journal: leadership moves after every decision, and nothing else does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Mapping

from apps.core.bus import ORDERS
from apps.core.messages import Decision, DecisionDone, encode
from apps.core.records import DecisionTaken
from tests.integration.data.site import START_DAY, Site
from tests.integration.execution.pair import SITES, Pair, hand_over, pair
from tests.support.servers import folder, postgres, wait_for
from tests.unit.strategy.market import FIRST_LIVE

MONTH = 21
"""Trading days."""
NOBODY = "nobody"
"""A strategy that is waited for in vain: a day lasts until a test lets it end.

A site that waited for its own would end the day for the other one, whose bus may not know yet
what was filled: it would count as filled what is open, and decide on another equity.
"""
REPLAY: Mapping[str, object] = {"tape": "prices", "tape_start": START_DAY, "day_s": "0"}
EVERY_DAY: dict[str, int | str | bool] = {"rebalance_days": 1, "weighting": "closed_form"}
"""Orders on each day: a day on which the strategy holds would show nothing."""

Content = tuple[object, ...]


@contextlib.contextmanager
def trading() -> Iterator[tuple[Pair, dict[str, Site]]]:
    """Run both sites, each with the whole chain on a feed, a bus and books of its own."""
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(pair(profile=REPLAY, detection_ms=2_000))
        sites = {}
        for name in SITES:
            home, books = stack.enter_context(folder()), stack.enter_context(postgres())
            site = sites[name] = Site(home, running.valkeys[name], books, name=name)
            stack.callback(site.stop)
            site.ports["fix"] = running.settings[name].fix_port
            site.fix_password = running.home / "fix"
            site.start("strategy", site.strategy_settings(parameters=EVERY_DAY))
        asyncio.run(running.until_ready(*SITES))
        for site in sites.values():
            site.start("data", site.data_settings(day_s="0", strategy=NOBODY))
        yield running, sites


def journaled(running: Pair) -> list[Decision]:
    """Return the decisions that were acted on."""
    records = asyncio.run(running.records())
    return [record.decision for record in records if isinstance(record, DecisionTaken)]


def content(decisions: list[Decision]) -> list[Content]:
    """Return what decisions ask for, of the month, and why where that is nothing."""
    return [(d.id, d.day, d.intents, d.note) for d in decisions if d.seq < FIRST_LIVE + MONTH]


def settled(site: Site, decision: str) -> None:
    """Wait until every order of a decision is settled, as a site's bus tells it."""
    with site.explained("data", "strategy"):
        wait_for(
            lambda: any(
                isinstance(m, DecisionDone) and m.decision == decision
                for _, m in site.stream(ORDERS)
            ),
            decision,
            60,
        )


def next_day(site: Site, seq: int) -> None:
    """Let a day end for which `NOBODY` is waited."""
    done = DecisionDone(index=0, decision=f"{NOBODY}-{seq}", seq=seq)
    client = site.valkey()
    client.xadd(ORDERS, {b"m": encode(done)})
    client.close()


def month(sites: Mapping[str, Site]) -> Iterator[str]:
    """Let a month pass, day by day; yield which site is to lead the next day, if it moves."""
    days = range(FIRST_LIVE, FIRST_LIVE + MONTH)
    for seq, heir in zip(days, itertools.cycle("ba"), strict=False):
        for site in sites.values():
            settled(site, f"momentum-{seq}")
        yield heir
        next_day(sites["a"], seq)


def test_a_month_is_decided_alike_with_a_handover_at_every_decision_and_with_none() -> None:
    with trading() as (running, sites):
        for _ in month(sites):
            pass
        undisturbed = content(journaled(running))
        assert len(asyncio.run(running.epochs())) == 1
    assert sum(bool(intents) for _, _, intents, _ in undisturbed) >= MONTH - 1  # one has dust only

    with trading() as (running, sites):
        for heir in month(sites):
            asyncio.run(hand_over(running, heir))
        epochs = asyncio.run(running.epochs())
        emitted = {name: content(site.decisions()) for name, site in sites.items()}
        moved = content(journaled(running))
    assert len(epochs) >= MONTH
    assert all(before != after for before, after in itertools.pairwise(epochs))
    assert moved == undisturbed
    # What the site that led no more would have decided is what the other one decided.
    for made in emitted.values():
        assert len(made) > MONTH // 2
        assert [one for one in made if one not in undisturbed] == []
