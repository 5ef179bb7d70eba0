"""Takes a profile's settings apart for the roles."""

from __future__ import annotations

from typing import Any


def of_topic(settings: dict[str, list[dict[str, Any]]], topic: str) -> dict[str, Any]:
    """Return the settings of one topic, by means; the command line's are the role `boot`'s."""
    return {
        means: [one for one in listed if one["topic"] == topic]
        for means, listed in settings.items()
        if means not in ("cmdline", "measured") and any(one["topic"] == topic for one in listed)
    }


class FilterModule:
    """What Ansible asks for filters."""

    def filters(self) -> dict[str, Any]:
        """Return them by name."""
        return {"of_topic": of_topic}
