from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from apps.strategy.api import FloatArray
from apps.strategy.closed_form import solve
from apps.strategy.problem import Unsolved, feasible

DAYS = 60


def closes(volatilities: list[float]) -> FloatArray:
    """Return prices of stocks that swing by so much."""
    swings = np.sin(np.arange(DAYS)[:, None] * (1.0 + np.arange(len(volatilities))))
    made: FloatArray = 100.0 * np.exp(swings * np.array(volatilities))
    return made


def weights(
    volatilities: list[float],
    expected: list[float],
    held: list[float] | None = None,
    *,
    cap: float = 1.0,
    turnover: float = 2.0,
) -> FloatArray:
    return solve(
        feasible(
            closes=closes(volatilities),
            expected=np.array(expected),
            held=np.array(held or [0.0] * len(expected)),
            max_weight=cap,
            gross=0.9,
            turnover=turnover,
            risk_aversion=2.0,
        )
    )


def test_twice_the_expected_return_is_twice_the_weight() -> None:
    found = weights([0.01, 0.01, 0.01], [0.002, 0.001, -0.001])
    variance = np.diff(closes([0.01] * 3), axis=0) / closes([0.01] * 3)[:-1]
    appeal = np.array([0.002, 0.001, 0.0]) / variance.var(axis=0, ddof=1)
    assert found == pytest.approx(0.9 * appeal / appeal.sum())


def test_what_a_cap_cuts_off_goes_to_the_others() -> None:
    found = weights([0.01] * 3, [0.9, 0.05, 0.05], cap=0.5)
    assert found[0] == pytest.approx(0.5, abs=1e-5)
    assert found.sum() == pytest.approx(0.9)


def test_without_anything_to_expect_the_calm_weigh_more() -> None:
    found = weights([0.02, 0.01], [-1.0, -1.0])
    assert found[1] > found[0] > 0


def test_turnover_limits_how_far_it_goes() -> None:
    found = weights([0.01, 0.01], [0.0, 1.0], [0.9, 0.0], turnover=0.2)
    assert np.abs(found - [0.9, 0.0]).sum() == pytest.approx(0.2, abs=1e-5)


def test_a_price_that_does_not_move_is_refused() -> None:
    with pytest.raises(Unsolved, match="does not move"):
        weights([0.0, 0.01], [1.0, 1.0])


@given(
    st.lists(
        st.tuples(st.floats(0.001, 0.05), st.floats(-0.01, 0.01), st.floats(0, 0.3)),
        min_size=2,
        max_size=12,
    ),
    st.floats(0.1, 1.0),
    st.floats(0.01, 1.0),
)
def test_within_the_limits_whatever_comes(
    stocks: list[tuple[float, float, float]], cap: float, turnover: float
) -> None:
    volatilities, expected, held = (list(column) for column in zip(*stocks, strict=True))
    found = weights(volatilities, expected, held, cap=cap, turnover=turnover)
    assert (found >= -1e-12).all()
    assert (found <= np.maximum(held, min(cap, 1.0) + 1e-5)).all()
    assert found.sum() <= max(0.9, sum(held)) + 1e-5
