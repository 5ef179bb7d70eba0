from __future__ import annotations

from decimal import Decimal

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.strategy.window import NEVER, Window

closes = st.dictionaries(
    st.sampled_from(["A", "B", "C"]), st.integers(1, 10_000).map(lambda n: Decimal(n) / 100)
)


@given(st.lists(closes, max_size=40), st.integers(1, 7))
def test_it_holds_the_last_days_with_gaps_carried(
    days: list[dict[str, Decimal]], size: int
) -> None:
    window = Window(size)
    last: dict[str, Decimal] = {}
    rows: list[dict[str, Decimal]] = []
    for seq, day in enumerate(days):
        window.append(seq, day)
        last = {**last, **day}
        rows.append(last)
    assert window.prices == last
    assert window.symbols == tuple(sorted(last))
    expected = [
        [float(row[name]) if name in row else float("nan") for name in window.symbols]
        for row in rows[-size:]
    ]
    np.testing.assert_array_equal(
        window.closes(), np.array(expected).reshape(len(expected), len(window.symbols))
    )


@given(st.lists(closes, min_size=1, max_size=40), st.integers(1, 7), st.data())
def test_a_window_filled_later_is_the_same(
    days: list[dict[str, Decimal]], size: int, data: st.DataObject
) -> None:
    whole, late = Window(size), Window(size)
    skip = data.draw(st.integers(0, max(0, len(days) - size)))
    for seq, day in enumerate(days):
        whole.append(seq, day)
    first: dict[str, Decimal] = {}
    for day in days[: skip + 1]:
        first = {**first, **day}
    late.append(skip, first)
    for seq, day in enumerate(days[skip + 1 :], start=skip + 1):
        late.append(seq, day)
    assert late.symbols == whole.symbols
    np.testing.assert_array_equal(late.closes(), whole.closes()[-len(late.closes()) :])


def test_days_only_move_forward_and_the_view_is_read_only() -> None:
    window = Window(3)
    window.append(5, {"A": Decimal(1)})
    with pytest.raises(ValueError, match="not after"):
        window.append(5, {"A": Decimal(2)})
    with pytest.raises(ValueError, match="read-only"):
        window.closes()[0, 0] = 2.0


def test_clear_forgets_the_days() -> None:
    window = Window(2)
    window.append(1, {"A": Decimal(1)})
    window.clear()
    assert (window.seq, window.prices, len(window.closes())) == (NEVER, {}, 0)
    window.append(0, {"A": Decimal(3)})
    assert window.closes().tolist() == [[3.0]]
