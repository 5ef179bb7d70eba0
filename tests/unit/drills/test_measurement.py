from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opsctl.drills.measurement import longest_gap_ms, ms, percentile, takeover
from opsctl.drills.record import Accepted

MS = 1_000_000


def accepted(*moments: tuple[int, str]) -> list[Accepted]:
    return [Accepted(at * MS, f"o{at}", session) for at, session in moments]


def test_recovery_is_from_the_last_of_one_session_to_the_first_of_the_other() -> None:
    found = takeover(accepted((10, "A"), (90, "A"), (150, "B"), (160, "B")), "A", "B", 100 * MS)
    assert found == (90 * MS, 150 * MS)
    assert ms(*found) == 60.0


def test_what_the_former_leader_sent_late_does_not_shorten_it() -> None:
    found = takeover(accepted((90, "A"), (150, "B"), (170, "A")), "A", "B", 100 * MS)
    assert found == (90 * MS, 150 * MS)


def test_orders_of_the_successor_from_an_earlier_leadership_are_none_of_this_one() -> None:
    found = takeover(accepted((5, "B"), (90, "A"), (150, "B")), "A", "B", 100 * MS)
    assert found == (90 * MS, 150 * MS)


def test_without_a_successor_there_is_no_recovery() -> None:
    assert takeover(accepted((90, "A"), (110, "A")), "A", "B", 100 * MS) is None
    assert takeover(accepted((150, "B")), "A", "B", 100 * MS) is None


def test_the_longest_gap_ends_after_the_fault_and_an_endless_one_counts() -> None:
    moments = [10 * MS, 400 * MS, 900 * MS, 910 * MS, 960 * MS]
    assert longest_gap_ms(moments, 905 * MS, 970 * MS) == 50.0
    assert longest_gap_ms(moments, 950 * MS, 1_960 * MS) == 1_000.0
    assert longest_gap_ms([], 0, 10) is None


@given(st.lists(st.integers(0, 10_000), min_size=1), st.integers(0, 10_000))
def test_a_gap_is_never_longer_than_from_the_first_to_the_end(at: list[int], since: int) -> None:
    found = longest_gap_ms([a * MS for a in at], since * MS, 20_000 * MS)
    if found is not None:
        assert 0 <= found <= 20_000 - min(at)


def test_a_percentile_takes_enough_values() -> None:
    assert percentile([1.0], 0.5) is None
    assert percentile([1.0, 2.0], 0.5) == 1.0
    assert percentile([float(n) for n in range(99)], 0.99) is None
    assert percentile([float(n) for n in range(1, 101)], 0.99) == 99.0
