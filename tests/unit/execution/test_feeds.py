from __future__ import annotations

from decimal import Decimal

from apps.core.messages import Close, Stamps
from apps.execution.feeds import seen
from apps.execution.risk import Market


def close(seq: int, price: str, symbol: str = "AAPL", probe: str = "") -> Close:
    day = f"2010-01-{seq:02}"
    prices = {symbol: Decimal(price)}
    return Close(seq=seq, day=day, event_ns=1, prices=prices, stamps=Stamps(), probe=probe)


def test_the_market_moves_forward_only() -> None:
    market = seen(Market(), close(7, "10"))
    assert (market.seq, market.day, market.prices) == (7, "2010-01-07", {"AAPL": Decimal(10)})
    assert seen(market, close(6, "9")) == market
    assert seen(market, close(7, "9")) == market
    assert seen(market, close(8, "11")).prices == {"AAPL": Decimal(11)}


def test_a_probe_tells_the_price_of_the_test_symbol_and_nothing_else() -> None:
    market = seen(Market(), close(7, "10"))
    probed = seen(market, close(7, "10", "ZVZZT", probe="p"))
    assert probed.prices == {"AAPL": Decimal(10), "ZVZZT": Decimal(10)}
    assert seen(probed, close(9, "1", probe="p")) == probed
    assert seen(probed, close(8, "11")).prices["ZVZZT"] == Decimal(10)
