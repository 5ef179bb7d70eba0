"""When drills may run: the spans of a window, on the clock of its zone."""

from __future__ import annotations

from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from opsctl.model.window import is_open, next_opening, parse

ZONE = ZoneInfo("America/New_York")


def at(day: int, clock: str) -> datetime:
    """Return a moment of that week: 0 is Monday 23 November 2026, 7 the Monday after."""
    hour, minute = map(int, clock.split(":"))
    return datetime(2026, 11, 23 + day, hour, minute, tzinfo=ZONE)


@pytest.mark.parametrize(
    ("window", "moment", "opened"),
    [
        ("", at(2, "03:00"), True),
        ("sat 10:00-16:00", at(5, "10:00"), True),
        ("sat 10:00-16:00", at(5, "15:59"), True),
        ("sat 10:00-16:00", at(5, "16:00"), False),
        ("sat 10:00-16:00", at(5, "09:59"), False),
        ("sat 10:00-16:00", at(6, "12:00"), False),
        ("sat-sun 10:00-16:00", at(6, "12:00"), True),
        ("fri-mon 10:00-16:00", at(0, "12:00"), True),
        ("fri-mon 10:00-16:00", at(1, "12:00"), False),
        ("10:00-16:00", at(1, "12:00"), True),
        ("wed 22:00-02:00", at(2, "23:00"), True),
        ("wed 22:00-02:00", at(3, "01:59"), True),
        ("wed 22:00-02:00", at(2, "01:00"), False),
        ("wed 22:00-02:00", at(3, "02:00"), False),
        ("sun 22:00-02:00", at(7, "01:00"), True),
        ("sat 00:00-24:00", at(5, "23:59"), True),
        ("sat 00:00-24:00", at(6, "00:00"), False),
        ("sat 10:00-11:00, Wed 10:00-11:00", at(2, "10:30"), True),
    ],
)
def test_what_lies_in_a_window(window: str, moment: datetime, opened: bool) -> None:
    assert is_open(window, moment) is opened


@pytest.mark.parametrize(
    ("window", "moment", "opens"),
    [
        ("", at(2, "03:00"), at(2, "03:00")),
        ("sat 10:00-16:00", at(5, "12:00"), at(5, "12:00")),
        ("sat 10:00-16:00", at(5, "09:00"), at(5, "10:00")),
        ("mon 10:00-16:00", at(0, "17:00"), at(7, "10:00")),
        ("sat 10:00-16:00, wed 22:00-02:00", at(1, "12:00"), at(2, "22:00")),
        ("08:00-09:00", at(3, "12:00"), at(4, "08:00")),
    ],
)
def test_when_a_window_opens_next(window: str, moment: datetime, opens: datetime) -> None:
    assert next_opening(window, moment) == opens


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("weekends", "must be days and times"),
        ("sat 10-16", "must be days and times"),
        ("sat 10:00-16:00,", "must be days and times"),
        ("sat 25:00-26:00", "25:00 is no time of day"),
        ("sat 10:61-11:00", "10:61 is no time of day"),
    ],
)
def test_what_is_no_window_is_refused_with_what_would_be_one(text: str, says: str) -> None:
    with pytest.raises(ValueError, match=says):
        parse(text)
