"""The format of environment files, and how an older one becomes today's.

`trading:format` is the version a file was written in (1 where it says nothing). Each
migration is a pure function from the settings of one version to those of the next; the
file on disk stays as it is. A file newer than this opsctl is refused, never guessed at.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

Migration = Callable[[Mapping[str, Any]], dict[str, Any]]
"""Takes the `trading:` settings of version n, by key, and returns those of version n + 1."""

MIGRATIONS: tuple[Migration, ...] = ()
"""The first takes version 1 to 2, the second 2 to 3; never reordered, never removed."""

FIRST = 1
"""The version of a file that names none."""

FORMAT = len(MIGRATIONS) + FIRST
"""The version that this opsctl writes."""


class Unmigratable(Exception):
    """The format of a file is not one that this opsctl knows."""


def migrate(
    settings: Mapping[str, Any], version: object, migrations: Sequence[Migration] = MIGRATIONS
) -> dict[str, Any]:
    """Return settings of `version` in the newest format.

    Raises `Unmigratable` for a version that is no whole number from 1 on, or newer than ours.
    """
    newest = len(migrations) + 1
    text = str(version)
    if isinstance(version, bool) or not (text.isascii() and text.isdigit() and 0 < len(text) < 10):
        raise Unmigratable(f"must be a whole number from 1 to {newest}")
    number = int(text)
    if number < 1:
        raise Unmigratable(f"must be a whole number from 1 to {newest}")
    if number > newest:
        raise Unmigratable(f"{number} needs a newer opsctl: this one reads formats up to {newest}")
    result = dict(settings)
    for migration in migrations[number - 1 :]:
        result = migration(result)
    return result
