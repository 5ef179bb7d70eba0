"""When drills may run: spans of a week on the clock of a time zone; pure.

A window is text: `sat-sun 10:00-16:00, wed 22:00-02:00`. A span without days is one of every
day; one that ends before it begins goes over midnight and belongs to the day it begins on.
"""

from __future__ import annotations

import re
from datetime import datetime, time, timedelta
from typing import NamedTuple

DAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_DAY = "|".join(DAYS)
_SPAN = re.compile(
    rf"(?:(?P<first>{_DAY})(?:-(?P<last>{_DAY}))? +)?"
    r"(?P<begins>\d{2}:\d{2})-(?P<ends>\d{2}:\d{2})"
)
FORM = "such as `sat-sun 10:00-16:00, wed 22:00-02:00`"
MINUTES = 24 * 60


class Span(NamedTuple):
    """One span: the days that it begins on (0 is Monday), and its two times."""

    days: tuple[int, ...]
    begins: time
    ends: time

    @property
    def minutes(self) -> int:
        """How long it is; a span that ends when it begins is a whole day."""
        passed = _minute(self.ends) - _minute(self.begins)
        return passed % MINUTES or MINUTES

    def holds(self, local: datetime) -> bool:
        """Whether a moment on the clock of the window's zone lies in it."""
        minute = _minute(local.time())
        begins = _minute(self.begins)
        today = local.weekday() in self.days and 0 <= minute - begins < self.minutes
        before = (local - timedelta(days=1)).weekday() in self.days
        return today or (before and minute + MINUTES - begins < self.minutes)


def parse(text: str) -> tuple[Span, ...]:
    """Return the spans of a window, none where the text is empty; ValueError says what is wrong."""
    return tuple(_span(part.strip().lower()) for part in text.split(",")) if text.strip() else ()


def is_open(text: str, local: datetime) -> bool:
    """Whether drills may run at a moment of the window's zone; without a window always."""
    spans = parse(text)
    return not spans or any(span.holds(local) for span in spans)


def next_opening(text: str, local: datetime) -> datetime:
    """Return the first moment from `local` on that lies in the window, on the same clock."""
    if is_open(text, local):
        return local
    day = local.replace(hour=0, minute=0, second=0, microsecond=0)
    return min(
        opening
        for span in parse(text)
        for ahead in range(len(DAYS) + 1)
        if (day + timedelta(days=ahead)).weekday() in span.days
        and (opening := _at(day + timedelta(days=ahead), span.begins)) >= local
    )


def _span(part: str) -> Span:
    found = _SPAN.fullmatch(part)
    if found is None:
        raise ValueError(f"must be days and times, {FORM}")
    days = tuple(range(len(DAYS)))
    if first := found["first"]:
        begin = DAYS.index(first)
        length = (DAYS.index(found["last"] or first) - begin) % len(DAYS) + 1
        days = tuple((begin + ahead) % len(DAYS) for ahead in range(length))
    return Span(days, _time(found["begins"]), _time(found["ends"]))


def _time(text: str) -> time:
    hour, minute = map(int, text.split(":"))
    if (hour, minute) == (24, 0):
        return time(0)
    if hour > 23 or minute > 59:
        raise ValueError(f"{text} is no time of day: from 00:00 to 24:00")
    return time(hour, minute)


def _minute(at: time) -> int:
    return at.hour * 60 + at.minute


def _at(day: datetime, at: time) -> datetime:
    return day.replace(hour=at.hour, minute=at.minute)
