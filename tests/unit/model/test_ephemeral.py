"""An environment that ends: its time to live as people write it, its end as it is kept."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from opsctl.model.ephemeral import Ephemeral, ends, shown, written

NOW = datetime(2027, 1, 31, 15, 0, 0, 250_000, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lasting", "seconds"),
    [("90s", 90), ("2h", 7_200), ("1h30m", 5_400), ("7d", 604_800)],
)
def test_a_time_to_live_ends_so_much_later(lasting: str, seconds: int) -> None:
    assert ends(lasting, NOW) == NOW + timedelta(seconds=seconds)


def test_it_may_be_a_moment() -> None:
    assert ends("2027-01-31T18:00:00+01:00", NOW) == datetime(2027, 1, 31, 17, tzinfo=UTC)


@pytest.mark.parametrize(
    ("lasting", "why"),
    [
        ("", "no time to live"),
        ("two hours", "no time to live"),
        ("-2h", "no time to live"),
        ("2", "no time to live"),
        ("1.5h", "no time to live"),
        ("2027-02-01T00:00:00", "no time to live"),
        ("0s", "over before it begins"),
        ("2027-01-31T14:59:59Z", "over before it begins"),
        ("8d", "longer than the 7 days"),
        ("999999d999999d", "longer than the 7 days"),
        ("9999-12-31T00:00:00Z", "longer than the 7 days"),
    ],
)
def test_nonsense_and_the_past_are_refused(lasting: str, why: str) -> None:
    with pytest.raises(ValueError, match=why):
        ends(lasting, NOW)


def test_the_end_is_kept_to_the_microsecond_and_shown_to_the_second() -> None:
    found = Ephemeral(owner="acme/books run 7 attempt 1", expires=written(NOW))
    assert found.expires == "2027-01-31T15:00:00.250000Z"
    assert found.until == NOW
    assert shown(NOW) == "2027-01-31T15:00:00Z"
    assert str(found) == "of acme/books run 7 attempt 1 until 2027-01-31T15:00:00Z"


def test_its_time_is_over_from_that_very_moment() -> None:
    found = Ephemeral(owner="me", expires=written(NOW))
    assert not found.over(NOW - timedelta(microseconds=1))
    assert found.over(NOW)
    assert not Ephemeral().over(NOW)


@pytest.mark.parametrize(
    "values",
    [
        {"owner": "me"},
        {"expires": "2027-01-31T15:00:00Z"},
        {"owner": "me", "expires": "2027-01-31T15:00:00"},
        {"owner": "me", "expires": "tonight"},
        {"owner": "a\nb", "expires": "2027-01-31T15:00:00Z"},
    ],
)
def test_half_of_it_and_what_no_label_holds_is_refused(values: dict[str, str]) -> None:
    with pytest.raises(ValidationError):
        Ephemeral.model_validate(values)
