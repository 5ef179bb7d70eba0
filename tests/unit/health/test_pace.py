"""How fast the processors are: what is said of what was timed."""

from __future__ import annotations

import time

import pytest

from opsctl.health import pace

US = 1_000


def test_even_processors_are_told_as_they_are() -> None:
    check = pace.stated([20 * US] * 150 + [40 * US] * 50)
    assert check.verdict == "stated"
    assert (
        check.detail
        == "the same arithmetic took 20 us at p50 and 40 us at p99 of 200: 2.0 times as long"
    )


def test_uneven_ones_are_named() -> None:
    check = pace.stated([20 * US] * 190 + [130 * US] * 10)
    assert check.verdict == "stated"
    assert "6.5 times as long; uneven processors" in check.detail


def test_a_short_measurement_says_nothing() -> None:
    assert "too short" in pace.stated([20 * US] * 99).detail
    assert "too short" in pace.stated([]).detail


def test_it_times_what_it_computes_and_not_what_it_waits_for(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    wait_s = 0.02
    monkeypatch.setattr(pace, "sum", lambda _: time.sleep(wait_s), raising=False)
    with pace.metered() as took_ns:
        time.sleep(0.5)
    so_far = len(took_ns)
    assert so_far > 3
    assert sorted(took_ns)[so_far // 2] < wait_s * 1e9 / 2
    time.sleep(5 * pace.EVERY_S)
    assert len(took_ns) == so_far, "it ends with the block"
