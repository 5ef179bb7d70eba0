"""Two whole sites on one journal: leadership moves after every decision, and nothing else does."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
from collections.abc import Iterator, Mapping

from apps.core.messages import Decision
from apps.core.records import DecisionTaken
from tests.integration.data.site import START_DAY, Site
from tests.integration.execution.pair import SITES, Pair, hand_over, pair
from tests.support.servers import folder, postgres, wait_for

MONTH = 21
"""Trading days."""
REPLAY: Mapping[str, object] = {"tape": "prices", "tape_start": START_DAY}
EVERY_DAY: dict[str, int | str | bool] = {"rebalance_days": 1, "weighting": "closed_form"}
"""Orders on each day: a day on which the strategy holds would show nothing."""

Content = tuple[object, ...]


@contextlib.contextmanager
def trading(day_s: str) -> Iterator[tuple[Pair, dict[str, Site]]]:
    """Run both sites, each with the whole chain on a feed, a bus and books of its own."""
    with contextlib.ExitStack() as stack:
        running = stack.enter_context(pair(profile={**REPLAY, "day_s": day_s}, detection_ms=2_000))
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
            site.start("data", site.data_settings(day_s=day_s))
        yield running, sites


def journaled(running: Pair) -> list[Decision]:
    """Return the decisions that were acted on."""
    records = asyncio.run(running.records())
    return [record.decision for record in records if isinstance(record, DecisionTaken)]


def content(decisions: list[Decision]) -> list[Content]:
    """Return what decisions ask for, of the month."""
    return [(d.id, d.day, d.intents) for d in decisions[:MONTH]]


def decided(running: Pair, sites: Mapping[str, Site], days: int) -> list[Decision]:
    """Wait until so many decisions are journaled."""
    with sites["a"].explained("data", "strategy"), sites["b"].explained("data", "strategy"):
        wait_for(lambda: len(journaled(running)) >= days, f"{days} decisions", 60)
    return journaled(running)


def test_a_month_is_decided_alike_with_a_handover_at_every_decision_and_with_none() -> None:
    with trading("0.5") as (running, sites):
        undisturbed = content(decided(running, sites, MONTH))
        assert asyncio.run(running.epochs()) == ["a"]
    assert sum(bool(intents) for _, _, intents in undisturbed) >= MONTH - 1  # one has dust only

    with trading("1") as (running, sites):
        for days, heir in zip(range(1, MONTH + 1), itertools.cycle("ba"), strict=False):
            decided(running, sites, days)
            asyncio.run(hand_over(running, heir))
        moved = decided(running, sites, MONTH)
        epochs = asyncio.run(running.epochs())
        emitted = {name: content(site.decisions()) for name, site in sites.items()}
    led = dict.fromkeys(epochs)
    assert list(led) == ["a", "b"]
    assert len(epochs) > MONTH
    assert content(moved) == undisturbed
    # What the site that led no more would have decided is what the other one decided.
    for made in emitted.values():
        assert len(made) > MONTH // 2
        assert [one for one in made if one not in undisturbed] == []
