"""An environment that ends: whose it is, and until when. Pure."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, model_validator

from opsctl.model.value import Value

LONGEST = timedelta(days=7)
"""What is to last longer has a file of its own, and somebody who looks after it."""
OWNER_LETTERS = 100

_UNITS = {"d": 86_400, "h": 3_600, "m": 60, "s": 1}
_LASTING = re.compile(r"(?:\d{1,6}[dhms])+")
_OWNER = r"^[A-Za-z0-9 _.:/=+@#-]*$"
"""What every label and tag of an engine and a cloud may hold."""


def _moment(value: Any) -> Any:
    if value == "":
        return value
    try:
        found = value if isinstance(value, datetime) else datetime.fromisoformat(str(value))
    except ValueError as fault:
        raise ValueError("must be a moment in UTC, such as 2027-01-31T17:00:00Z") from fault
    if found.tzinfo is None:
        raise ValueError("must say its offset from UTC, such as 2027-01-31T17:00:00Z")
    return written(found)


class Ephemeral(Value):
    """Whose an environment is that ends, and when; both empty for one that stays.

    The moment has microseconds, so that no two environments by one name have the same.
    """

    owner: Annotated[str, Field(max_length=OWNER_LETTERS, pattern=_OWNER)] = Field(
        "", description="whose it is: a job of CI, or a person"
    )
    expires: Annotated[str, BeforeValidator(_moment)] = Field(
        "", description="when it is to be gone, such as 2027-01-31T17:00:00Z"
    )

    @model_validator(mode="after")
    def _whole(self) -> Ephemeral:
        if bool(self.owner) != bool(self.expires):
            raise ValueError("needs both: `owner`, whose it is, and `expires`, when it ends")
        return self

    @property
    def until(self) -> datetime | None:
        """When it ends; None for an environment that stays."""
        return datetime.fromisoformat(self.expires) if self.expires else None

    def over(self, now: datetime) -> bool:
        """Return whether its time is over; of one that stays it never is."""
        return self.until is not None and self.until <= now

    def __str__(self) -> str:
        """Say it: `of OWNER until MOMENT`, to the second."""
        return f"of {self.owner} until {shown(self.until)}" if self.until else "one that stays"


def written(moment: datetime) -> str:
    """Return a moment as it is written down, in UTC with its microseconds."""
    return moment.astimezone(UTC).isoformat(timespec="microseconds").replace("+00:00", "Z")


def shown(moment: datetime) -> str:
    """Return a moment for a reader, in UTC to the second."""
    return moment.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def ends(lasting: str, now: datetime) -> datetime:
    """Return when something ends that begins now: after `90s`, `2h`, `1h30m`, or at a moment.

    Raises:
        ValueError: it is neither, lies in the past, or further away than `LONGEST`.
    """
    end = _end(lasting, now)
    if end is None or end.tzinfo is None:
        raise ValueError("is no time to live: write 90m, 2h or 1h30m")
    if end <= now:
        raise ValueError("is over before it begins: write 90m, 2h or 1h30m")
    if end - now > LONGEST:
        raise ValueError(
            f"is longer than the {LONGEST.days} days that an ephemeral environment may last"
        )
    return end


def _end(lasting: str, now: datetime) -> datetime | None:
    try:
        if not _LASTING.fullmatch(lasting):
            return datetime.fromisoformat(lasting)
        parts = re.findall(r"(\d+)([dhms])", lasting)
        return now + timedelta(seconds=sum(int(count) * _UNITS[unit] for count, unit in parts))
    except (ValueError, OverflowError):
        return None
