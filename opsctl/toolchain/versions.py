"""Versions of programs: read from what they print, compared, held against a range."""

from __future__ import annotations

import re

from opsctl.model.value import Value

_NUMBERS = re.compile(r"\d+(?:\.\d+)*")


def numbers(version: str) -> tuple[int, ...]:
    """Return the leading numbers of a version: `2.42.0+ds-5` is (2, 42, 0).

    A Debian epoch (`1:`) and a leading `v` are skipped. Raises `ValueError` where there
    is no number at all.
    """
    text = version.rpartition(":")[2].removeprefix("v")
    found = _NUMBERS.match(text)
    if found is None:
        raise ValueError(f"{version!r} is no version")
    return tuple(int(part) for part in found[0].split("."))


def printed(output: str, pattern: str) -> str | None:
    """Return the version that a program printed: the first group of `pattern`."""
    found = re.search(pattern, output)
    return found[1] if found else None


class Range(Value):
    """The versions that serve: `at_least` and above, `below` excluded."""

    at_least: str
    below: str

    def __contains__(self, version: str) -> bool:
        """Return whether a version lies within the range; `18.6` and `18.6.0` are equal."""
        found, low, high = (_padded(numbers(text)) for text in (version, self.at_least, self.below))
        return low <= found < high

    def __str__(self) -> str:
        """Return the range as people write it: `>=3.6,<3.7`."""
        return f">={self.at_least},<{self.below}"


def _padded(version: tuple[int, ...], places: int = 6) -> tuple[int, ...]:
    return (version + (0,) * places)[: max(places, len(version))]
