"""The host variable of the playbooks: what one server is to be given, by means; pure."""

from __future__ import annotations

from typing import Any

from opsctl.model.profile.profile import Profile
from opsctl.model.profile.setting import Means

NAME = "opsctl_profile"
_SHOWN = {"id", "topic", "at", "want", "compare", "boot"}


def settings_by_means(profile: Profile) -> dict[str, Any]:
    """Return the value of `opsctl_profile`, as JSON holds it.

    `name`, `tier`, `digest`, `layout` (lists of CPUs), and `settings`: for each means that can
    be written, the list of `{id, topic, at, want, compare, boot}` in the catalogue's order.
    What is not applicable is not among them.
    """
    written: dict[str, list[dict[str, Any]]] = {
        means.value: [] for means in Means if means is not Means.MEASURED
    }
    for wanted in profile.settings:
        if not wanted.lacks and wanted.means is not Means.MEASURED:
            written[wanted.means].append(wanted.model_dump(mode="json", include=_SHOWN))
    return {
        "name": profile.name,
        "tier": profile.tier.value,
        "digest": profile.digest(),
        "layout": profile.layout.model_dump(mode="json"),
        "settings": written,
    }
