"""How fast the processors are: what is said of what was timed."""

from __future__ import annotations

import threading
import time

from opsctl.health import pace

US = 1_000


def test_even_processors_are_told_as_they_are() -> None:
    check = pace.stated([20 * US] * 150 + [40 * US] * 50)
    assert check.verdict == "stated"
    assert (
        check.detail
        == "the same arithmetic took 20 us at p50 and 40 us at p99 of 200: 2.0 times as long"
    )


def test_those_that_slow_down_are_named_as_the_cause() -> None:
    check = pace.stated([20 * US] * 190 + [130 * US] * 10)
    assert check.verdict == "stated"
    assert "6.5 times as long; this machine slows down by itself" in check.detail


def test_a_short_measurement_says_nothing() -> None:
    assert "too short" in pace.stated([20 * US] * 99).detail
    assert "too short" in pace.stated([]).detail


def test_it_times_what_it_computes_and_not_what_it_waits_for() -> None:
    busy = threading.Event()

    def in_the_way() -> None:
        while not busy.is_set():
            sum(range(10_000))

    beside = threading.Thread(target=in_the_way, daemon=True)
    beside.start()
    try:
        with pace.metered() as took_ns:
            time.sleep(1.0)
    finally:
        busy.set()
        beside.join()
    so_far = len(took_ns)
    time.sleep(5 * pace.EVERY_S)
    assert len(took_ns) == so_far > 20, "it ends with the block"
    # Whoever waits for the interpreter waits for 5 ms at a time; a piece takes some tens of us.
    assert sorted(took_ns)[so_far // 2] < 2_000 * US
