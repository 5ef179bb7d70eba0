from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal

import msgspec
import pytest

from apps.core.instruments import TEST_SYMBOL
from apps.core.messages import Close, Decision, Side, Stamps, decode, encode
from apps.strategy.api import Hold, Holdings, Limits, Market, Shares, Strategy, Wanted
from apps.strategy.engine import Engine
from apps.strategy.intents import Terms
from tests.unit.strategy.market import holding

LIMITS = Limits(position_usd=Decimal(250_000), gross_usd=Decimal(1_100_000))
TERMS = Terms(order_usd=Decimal(250_000), order_shares=1_000_000, offset_bps=50, min_trade_bps=25)
PRICES = {"AAPL": Decimal("75.0000"), "KO": Decimal("50.0000")}


class Scripted(Strategy):
    """Wants what the test says, and keeps what it was shown."""

    def __init__(self, wanted: Wanted) -> None:
        super().__init__({}, LIMITS)
        self.wanted = wanted
        self.shown: list[tuple[Market, Holdings]] = []

    def decide(self, market: Market, holdings: Holdings) -> Wanted:
        self.shown.append((market, holdings))
        return self.wanted


def close(seq: int = 7, prices: Mapping[str, Decimal] = PRICES, probe: str = "") -> Close:
    return Close(
        seq=seq,
        day="2020-01-02",
        event_ns=1,
        prices=dict(prices),
        stamps=Stamps(data_in=1, published=2),
        probe=probe,
    )


def engine(strategy: Strategy) -> Engine:
    made = Engine("scripted", strategy, LIMITS, TERMS)
    made.see(7, PRICES)
    return made


def test_a_decision_carries_what_follows_from_the_close() -> None:
    decision = (
        engine(Scripted(Shares({"KO": 100}, {"KO": 1.5}))).decide(close(), holding()).decision
    )
    assert (decision.id, decision.seq, decision.expires_seq) == ("scripted-7", 7, 7)
    assert decision.targets == {"KO": 100}
    assert decision.scores == {"KO": 1.5}
    assert [(i.id, i.side, i.qty) for i in decision.intents] == [("scripted-7-KO-0", Side.BUY, 100)]
    assert decision.stamps == Stamps(data_in=1, published=2)
    assert decode(encode(decision)) == decision


def test_holding_is_a_decision_too_and_says_why() -> None:
    outcome = engine(Scripted(Hold("calm"))).decide(close(), holding())
    assert outcome.held == Hold("calm")
    assert (outcome.decision.intents, outcome.decision.note) == ((), "calm")


def test_nothing_is_traded_while_halted() -> None:
    strategy = Scripted(Shares({"KO": 100}))
    outcome = engine(strategy).decide(close(), holding(halted=True))
    assert outcome.decision.intents == ()
    assert strategy.shown == []


def test_what_is_held_and_open_is_not_asked_for_again() -> None:
    strategy = Scripted(Shares({"KO": 100}))
    outcome = engine(strategy).decide(close(), holding(positions={"KO": 60}, open_qty={"KO": 40}))
    assert outcome.decision.intents == ()


def test_a_probe_decides_in_earnest_and_trades_only_the_test_symbol() -> None:
    strategy = Scripted(Shares({"KO": 100}))
    made = engine(strategy)
    before = made.window.closes().copy()
    probe = close(probe="p-1", prices={**PRICES, TEST_SYMBOL: Decimal(10)})
    decision = made.probe(probe, holding())
    assert (decision.id, decision.probe) == ("scripted-p-1", "p-1")
    (intent,) = decision.intents
    assert (intent.id, intent.symbol, intent.qty, intent.limit) == ("p-1", "ZVZZT", 1, Decimal(10))
    ((market, _),) = strategy.shown
    assert market.rehearsal
    assert TEST_SYMBOL not in market.quoted
    assert (made.window.closes() == before).all()


def test_a_symbol_without_a_close_today_is_shown_but_not_quoted() -> None:
    strategy = Scripted(Hold(""))
    made = engine(strategy)
    made.see(8, {"KO": Decimal(51)})
    made.decide(close(8, {"KO": Decimal(51)}), holding())
    market, _ = strategy.shown[0]
    assert market.quoted == {"KO"}
    assert market.prices == {"AAPL": Decimal(75), "KO": Decimal(51)}
    assert market.closes.tolist() == [[75.0, 51.0]]


@pytest.mark.parametrize("field", ["note"])
def test_a_decision_of_the_former_form_is_read(field: str) -> None:
    raw = msgspec.json.decode(
        encode(engine(Scripted(Hold(""))).decide(close(), holding()).decision)
    )
    del raw[field]
    read = decode(msgspec.json.encode(raw))
    assert isinstance(read, Decision)
    assert read.note == ""
