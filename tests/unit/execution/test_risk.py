from __future__ import annotations

from decimal import Decimal
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.core.messages import Decision, Intent, OrderType, Side
from apps.core.records import Outcome
from apps.execution import risk
from apps.execution.risk import Exposure, Judgement, Market, View
from tests.unit.execution.made import LIMITS, MARKET, PRICES, decision, intent


def view(**changes: Any) -> View:
    made = View(market=MARKET, known=lambda order: False)
    return msgspec.structs.replace(made, **changes)


def judge(*intents: Intent, looking: View | None = None, **changes: Any) -> Judgement:
    return risk.judge(decision(*intents, **changes), looking or view(), LIMITS)


@pytest.mark.parametrize(
    ("changes", "reason"),
    [
        ({"limit": Decimal("10.3001")}, "price collar"),
        ({"limit": Decimal("9.6999")}, "price collar"),
        ({"qty": 901}, "order size"),
        ({"symbol": "GE", "limit": Decimal(50), "qty": 201}, "order notional"),
        ({"qty": 0}, "not positive"),
        ({"qty": -5}, "not positive"),
        ({"limit": Decimal("10.00001")}, "not a multiple of the tick"),
        ({"limit": None}, "a limit order without a limit"),
        ({"order_type": OrderType.MARKET}, "a market order with a limit"),
        ({"limit": Decimal(0)}, "not positive"),
        ({"symbol": "NONE"}, "no price for NONE"),
    ],
)
def test_an_intent_beyond_a_limit_is_refused_with_the_reason(
    changes: dict[str, Any], reason: str
) -> None:
    judged = judge(intent(**changes))
    assert (judged.outcome, judged.verdicts[0].accepted) == (Outcome.REFUSED, False)
    assert reason in judged.verdicts[0].reason


@pytest.mark.parametrize(
    "changes",
    [
        {"limit": Decimal("10.3000")},
        {"limit": Decimal("9.7000"), "side": Side.SELL},
        {"qty": 900},
        {"order_type": OrderType.MARKET, "limit": None},
    ],
)
def test_an_intent_at_a_limit_is_accepted(changes: dict[str, Any]) -> None:
    judged = judge(intent(**changes))
    assert (judged.outcome, judged.verdicts[0].reason) == (Outcome.ACCEPTED, "")


def test_a_position_counts_what_is_open_and_in_doubt_as_filled() -> None:
    looking = view(exposures={"AAPL": Exposure(held=300, buys=500, sells=300)})
    assert judge(intent(qty=400), looking=looking).outcome is Outcome.ACCEPTED
    refused = judge(intent(qty=401), looking=looking)
    assert "position: 12010.00 USD of AAPL" in refused.verdicts[0].reason


def test_what_reduces_is_never_refused_for_size_of_position() -> None:
    looking = view(exposures={"AAPL": Exposure(held=5_000)})
    assert judge(intent(qty=500, side=Side.SELL), looking=looking).outcome is Outcome.ACCEPTED
    assert judge(intent(qty=1), looking=looking).outcome is Outcome.REFUSED
    # Sold already by what is open: a further sale would not reduce.
    looking = view(exposures={"AAPL": Exposure(held=800, sells=800)})
    assert judge(intent(qty=900, side=Side.SELL), looking=looking).outcome is Outcome.ACCEPTED
    looking = view(exposures={"AAPL": Exposure(held=100, sells=1_200)})
    assert judge(intent(qty=200, side=Side.SELL), looking=looking).outcome is Outcome.REFUSED


def test_gross_counts_everything_and_a_decision_is_judged_whole() -> None:
    held = {"AAPL": Exposure(held=1_000), "MSFT": Exposure(held=500)}
    buy = intent("buy", symbol="GE", limit=Decimal(50), qty=100)
    sell = intent("sell", side=Side.SELL, qty=500)
    assert "gross: 25000.00" in judge(buy, looking=view(exposures=held)).verdicts[0].reason
    # The sale of the same decision pays for it, whatever their order in the decision.
    assert all(v.accepted for v in judge(buy, sell, looking=view(exposures=held)).verdicts)
    # A sale that was open before does not.
    opened = held | {"AAPL": Exposure(held=1_000, sells=500)}
    assert judge(buy, looking=view(exposures=opened)).outcome is Outcome.REFUSED


def test_the_rate_counts_by_event_time() -> None:
    intents = [intent(f"i{n}", qty=1) for n in range(4)]
    judged = judge(*intents, looking=view(sent_last_s=3))
    assert [v.accepted for v in judged.verdicts] == [True, True, False, False]
    assert "rate: 5 orders in a second" in judged.verdicts[2].reason
    assert judged.outcome is Outcome.ACCEPTED


def test_a_known_id_is_refused_and_so_is_its_repetition_within_a_decision() -> None:
    judged = judge(intent("old"), looking=view(known=lambda order: order == "old"))
    assert "duplicate id old" in judged.verdicts[0].reason
    judged = judge(intent("new", qty=1), intent("new", qty=2))
    assert sorted(v.accepted for v in judged.verdicts) == [False, True]


def test_doubt_blocks_its_symbol_and_no_other() -> None:
    looking = view(doubted={"AAPL": "s-6-AAPL-0"})
    other = intent("ge", symbol="GE", limit=Decimal(50), qty=1)
    judged = judge(intent(), other, looking=looking)
    assert [v.accepted for v in judged.verdicts] == [False, True]
    assert "s-6-AAPL-0 is in doubt" in judged.verdicts[0].reason


@pytest.mark.parametrize(
    ("made", "looking", "outcome", "reason"),
    [
        (decision(intent()), view(market=Market()), Outcome.REFUSED, "no market data"),
        (decision(intent(), expires_seq=6), view(), Outcome.EXPIRED, "market data is at 7"),
        (decision(intent(), day="2010-01-04"), view(), Outcome.REFUSED, "stale trading day"),
        (decision(intent()), view(halt="halted by x"), Outcome.REFUSED, "halted by x"),
    ],
)
def test_a_decision_that_cannot_be_acted_on_is_refused_whole(
    made: Decision, looking: View, outcome: Outcome, reason: str
) -> None:
    judged = risk.judge(made, looking, LIMITS)
    assert judged.outcome is outcome
    assert reason in judged.reason
    assert not any(verdict.accepted for verdict in judged.verdicts)


def test_a_decision_to_hold_is_accepted() -> None:
    assert judge().outcome is Outcome.ACCEPTED
    assert judge(looking=view(halt="halted")).outcome is Outcome.ACCEPTED


@pytest.mark.parametrize(
    "made",
    [
        decision(intent("a\x01b")),
        decision(intent("")),
        decision(intent(), strategy=""),
        decision(intent(), strategy="s" * 65),
        decision(intent(), day="tomorrow"),
        decision(intent(), seq=10**13),
        decision(intent(qty=10**13)),
        decision(intent(limit=Decimal("NaN"))),
        decision(intent(symbol="A\x00B")),
    ],
)
def test_what_neither_fix_nor_the_books_can_hold_is_malformed(made: Decision) -> None:
    assert risk.malformed(made)
    assert not risk.malformed(decision(intent()))


@given(
    held=st.integers(-1_500, 1_500),
    buys=st.integers(0, 1_500),
    sells=st.integers(0, 1_500),
    legs=st.lists(st.tuples(st.sampled_from(Side), st.integers(1, 900)), max_size=5),
)
def test_no_accepted_order_takes_the_worst_case_beyond_the_limit(
    held: int, buys: int, sells: int, legs: list[tuple[Side, int]]
) -> None:
    before = Exposure(held, buys, sells)
    intents = [intent(f"i{n}", side=side, qty=qty) for n, (side, qty) in enumerate(legs)]
    judged = judge(*intents, looking=view(exposures={"AAPL": before}))
    after = before
    accepted = {verdict.intent for verdict in judged.verdicts if verdict.accepted}
    for one in intents:
        if one.id in accepted:
            after = after.with_order(one.side, one.qty)
    limit = int(LIMITS.max_position_notional_usd / PRICES["AAPL"])
    assert after.worst <= max(limit, before.worst)
