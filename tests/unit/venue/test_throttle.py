"""The throttle: what passes within any second."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from apps.venue.throttle import Throttle

SECOND_NS = 1_000_000_000


def test_zero_is_no_limit() -> None:
    throttle = Throttle(0)
    assert all(throttle.admit("a", 0) for _ in range(1_000))


def test_a_session_has_its_own_allowance_and_refusals_cost_nothing() -> None:
    throttle = Throttle(2)
    assert [throttle.admit("a", 0) for _ in range(4)] == [True, True, False, False]
    assert throttle.admit("b", 0)
    assert not throttle.admit("a", SECOND_NS - 1)
    assert throttle.admit("a", SECOND_NS)


@given(st.integers(1, 5), st.lists(st.integers(0, SECOND_NS), max_size=60))
def test_no_second_has_more_than_the_limit_and_none_is_refused_without_need(
    limit: int, gaps: list[int]
) -> None:
    throttle = Throttle(limit)
    admitted: list[int] = []
    now = 0
    for gap in gaps:
        now += gap
        within = sum(now - at < SECOND_NS for at in admitted)
        passed = throttle.admit("a", now)
        assert passed == (within < limit)
        if passed:
            admitted.append(now)
