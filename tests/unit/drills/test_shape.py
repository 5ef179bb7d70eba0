"""The load of a drill: what a client decides, by its shape alone."""

from __future__ import annotations

import itertools
from collections import Counter
from decimal import Decimal

import pytest

from apps.core.messages import Decision, Side, TimeInForce
from opsctl.drills.shape import LEGS, Load, Shape, changed
from opsctl.drills.task import Bus, Task, read
from opsctl.errors import UsageError

PRICES = {name: Decimal(10 + at) for at, name in enumerate(("AAPL", "BAC", "CVX", "GE", "KO"))}


def decided(load: Load, count: int, name: str = "drillab12cd") -> list[Decision]:
    shape = Shape(name, load)
    return [shape.decision(at, 1_000 + at, PRICES, "2010-01-04", 7) for at in range(count)]


def intents(load: Load, count: int) -> list[tuple[str, Side, int]]:
    found = decided(load, count)
    return [(i.symbol, i.side, i.qty) for decision in found for i in decision.intents]


def test_without_a_shape_a_few_shares_are_traded_at_once_over_all_symbols() -> None:
    found = decided(Load(), 10)
    legs = [intent for decision in found for intent in decision.intents]
    assert {intent.symbol for intent in legs} == set(PRICES)
    assert {intent.tif for intent in legs} == {TimeInForce.IOC}
    assert [intent.qty for intent in legs] == [1, 2] * 10
    assert {decision.strategy for decision in found} == {"drillab12cd"}
    assert len({intent.id for intent in legs}) == 20
    for intent in legs:
        assert intent.limit is not None
        assert (intent.limit > PRICES[intent.symbol]) is (intent.side is Side.BUY)


@pytest.mark.parametrize("load", [Load(), Load(shares_max=500, resting_share=0.4, seed=3)])
def test_what_one_round_buys_the_next_one_sells(load: Load) -> None:
    held = Counter[str]()
    for symbol, side, qty in intents(load, 2 * len(PRICES)):
        held[symbol] += qty if side is Side.BUY else -qty
    assert set(held.values()) == {0}


def test_the_seed_determines_what_is_traded() -> None:
    sized = Load(shares_max=500, resting_share=0.4, seed=3)
    assert decided(sized, 40) == decided(sized, 40)
    assert intents(sized, 40) != intents(sized.model_copy(update={"seed": 4}), 40)


def test_sizes_are_many_small_and_few_large() -> None:
    sizes = [qty for _, _, qty in intents(Load(shares_max=500), 2_000)]
    assert min(sizes) == 1
    assert 400 < max(sizes) <= 500
    assert sum(qty <= 50 for qty in sizes) > len(sizes) / 2


def test_what_rests_is_a_day_order_away_from_the_market_within_the_collar() -> None:
    legs = [i for d in decided(Load(resting_share=0.3), 1_000) for i in d.intents]
    resting = [intent for intent in legs if intent.tif is TimeInForce.DAY]
    assert 0.25 < len(resting) / len(legs) < 0.35
    for intent in resting:
        assert intent.limit is not None
        away = intent.limit / PRICES[intent.symbol] - 1
        assert 0.003 < (-away if intent.side is Side.BUY else away) < 0.021


def test_strategies_decide_in_turn_and_bear_the_clients_name() -> None:
    counted = Counter(decision.strategy for decision in decided(Load(strategies=3), 30))
    assert counted == {"drillab12cd": 10, "drillab12cds1": 10, "drillab12cds2": 10}


def test_so_many_symbols_are_traded() -> None:
    assert {symbol for symbol, _, _ in intents(Load(symbols=2), 20)} == {"AAPL", "BAC"}


def test_bursts_come_beside_the_even_stream() -> None:
    load = Load(rate_per_s=100, burst_orders=60, burst_every_s=0.5)
    pauses = Shape("drill", load).pauses()
    taken = list(itertools.islice(pauses, 1_000))
    passed_s = sum(taken)
    at_once = [len(list(run)) for pause, run in itertools.groupby(taken) if pause == 0]
    assert set(at_once[:-1]) == {60 // LEGS}
    assert len(taken) * LEGS == pytest.approx(passed_s * (100 + 60 / 0.5), rel=0.05)


def test_values_are_replaced_and_every_wrong_one_is_named() -> None:
    assert changed(Load(), {"strategies": "3", "resting_share": "0.5"}) == Load(
        strategies=3, resting_share=0.5
    )
    with pytest.raises(UsageError) as refused:
        changed(Load(), {"strategies": "none", "resting_share": "2", "nonsense": "1"})
    assert [line.split(":")[0] for line in refused.value.details] == [
        "strategies",
        "resting_share",
        "nonsense",
    ]


def test_a_task_comes_through_as_it_was_written() -> None:
    task = Task("drill", (Bus("a", "127.0.0.1", 1, "s3cret"),), Load(strategies=2))
    assert read(task.written()) == task
