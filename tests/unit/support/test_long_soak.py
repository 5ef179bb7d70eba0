"""The long run: what a seed chooses, what counts as growth, and what its page says."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import Any

import pytest

from opsctl.targets.local.processes import children
from tests.soak import growth
from tests.soak.growth import Sample, slopes
from tests.soak.long import chosen, faults, page

HOUR = 3_600


def series(rss_mb_h: float = 0, fds_h: float = 0, seconds: int = 2 * HOUR) -> list[Sample]:
    return [
        Sample(at, 100 + rss_mb_h * at / HOUR, 20 + int(fds_h * at / HOUR))
        for at in range(0, seconds + 1, 300)
    ]


def test_a_seed_chooses_the_same_legs_again() -> None:
    legs = [chosen(7, number) for number in range(30)]
    assert legs == [chosen(7, number) for number in range(30)]
    assert len({name for name, _ in legs}) > 3
    assert all("burst_orders=60" in words for _, words in legs)


def test_what_grows_beyond_a_bound_is_told_from_what_does_not() -> None:
    found = {
        s.service: s for s in slopes({"flat": series(), "leaks": series(100), "fds": series(0, 40)})
    }
    assert (found["flat"].rss_mb_h, found["flat"].grows) == (0, False)
    assert (found["leaks"].rss_mb_h, found["leaks"].grows) == (100, True)
    assert found["fds"].grows
    assert next(iter(found)) == "leaks"


def test_what_fills_a_cache_or_was_killed_and_began_anew_does_not_grow() -> None:
    filling = [s._replace(rss_mb=min(s.rss_mb + s.at_s, 500)) for s in series()]
    killed = [s._replace(rss_mb=s.rss_mb - 60 * (s.at_s > HOUR)) for s in series(8)]
    assert not any(s.grows for s in slopes({"filling": filling, "killed": killed}))


@pytest.mark.parametrize("seconds", [300, HOUR // 2])
def test_a_short_run_is_shown_and_not_judged(seconds: int) -> None:
    (only,) = slopes({"leaks": series(1_000, seconds=seconds)})
    assert only.rss_mb_h is None
    assert not only.grows


def leg(
    number: int, verdict: str = "passed", grown_mb: float = 0, **measured: Any
) -> dict[str, Any]:
    made = {"rto_ms": 40.0, "orders_acknowledged": 9, "orders_lost": 0, "orders_duplicated": 0}
    made |= {"positions_reconciled": True, "open_orders_reconciled": True}
    at = number * 600.0
    return {
        "leg": number,
        "deployment": "one",
        "seconds": 600.0,
        "scenario": "leader-kill",
        "verdict": verdict,
        "findings": [] if verdict == "passed" else ["it went wrong"],
        "measured": made | measured,
        "before": {"bus@a": [at, 100 + grown_mb * number, 20]},
        "after": {"bus@a": [at + 600, 100 + grown_mb * (number + 1), 20]},
    }


def test_the_page_counts_what_was_lost_and_says_how_much_is_to_come() -> None:
    text = page([leg(0), leg(1, "failed", orders_lost=2), leg(2, "blocked")], 7_200, 7)
    assert "So far: 5400 s are to come" in text
    assert "| legs (drills) | 2 |" in text
    assert "| lost | 2 |" in text
    assert "| could not begin | 1 |" in text
    assert "- leg 1, leader-kill: it went wrong" in text


def test_a_page_says_whether_growth_could_be_judged() -> None:
    assert "Nothing failed. The run is too short" in page([leg(0)], 600, 7)
    assert "Nothing failed. Nothing has grown." in page([leg(n) for n in range(8)], 4_800, 7)


def test_a_run_without_loss_that_grows_has_failed() -> None:
    assert faults([leg(number) for number in range(8)]) == []
    (said,) = faults([leg(number, grown_mb=50) for number in range(8)])
    assert said.startswith("bus@a grows by 300.0 MB")


def test_open_files_are_those_of_a_process_and_all_below_it() -> None:
    opens = "import sys; kept = [open('/dev/null') for _ in range(50)]"
    code = f"{opens}; print('up', flush=True); sys.stdin.read()"
    with subprocess.Popen(
        [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as child:
        assert child.stdout is not None
        child.stdout.readline()
        mine = growth._open_files(os.getpid(), {})
        assert growth._open_files(os.getpid(), children()) >= mine + 50
        child.communicate(b"")
