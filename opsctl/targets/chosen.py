"""Services as a user names them: by their key, or by their name on every site; pure."""

from __future__ import annotations

from collections.abc import Sequence

from opsctl.errors import UsageError


def chosen(environment: str, services: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of services that are named by key or by name; all where none is.

    Raises `UsageError` for a name that none has.
    """
    if not services:
        return tuple(known)
    found = []
    for name in services:
        keys = [key for key in known if name in (key, key.partition("@")[0])]
        if not keys:
            raise UsageError(
                f"{environment} has no service {name!r}",
                hint=f"its services: {', '.join(known) or 'none yet; deploy it first'}",
            )
        found += keys
    return tuple(dict.fromkeys(found))
