"""Real days for tests of strategies, straight from the bundled prices."""

from __future__ import annotations

from decimal import Decimal
from functools import cache

from apps.core.instruments import instrument
from apps.core.messages import Close, Portfolio, Stamps
from apps.core.prices import open_source

FIRST_LIVE = 5043
"""2010-01-04 in the bundled prices."""


@cache
def days() -> tuple[Close, ...]:
    """Return every day of the bundled prices as the bus would carry it."""
    return tuple(
        Close(
            seq=day.seq,
            day=day.day.isoformat(),
            event_ns=0,
            prices={
                name: instrument(name).round_price(Decimal(text))
                for name, text in day.closes.items()
                if text
            },
            stamps=Stamps(data_in=1, published=2),
        )
        for day in open_source("prices").days()
    )


def holding(
    cash: str = "1000000",
    *,
    positions: dict[str, int] | None = None,
    open_qty: dict[str, int] | None = None,
    halted: bool = False,
) -> Portfolio:
    """Return a portfolio."""
    return Portfolio(
        index=1,
        cash=Decimal(cash),
        positions=positions or {},
        open_qty=open_qty or {},
        last_decision={},
        halted=halted,
    )
