from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from opsctl.model.migrations import FIRST, FORMAT, MIGRATIONS, Unmigratable, migrate


def rename_speed(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Version 1 to 2: `speed` is called `day-s`."""
    return {"day-s" if key == "speed" else key: value for key, value in settings.items()}


def seconds_to_replay(settings: Mapping[str, Any]) -> dict[str, Any]:
    """Version 2 to 3: `day-s` moves into `replay`."""
    rest = {key: value for key, value in settings.items() if key != "day-s"}
    return rest | ({"replay": {"day_s": settings["day-s"]}} if "day-s" in settings else {})


STEPS = (rename_speed, seconds_to_replay)


@pytest.mark.parametrize(
    ("version", "settings"),
    [
        (1, {"speed": 2, "tier": "daily"}),
        ("1", {"speed": 2, "tier": "daily"}),
        (2, {"day-s": 2, "tier": "daily"}),
        (3, {"replay": {"day_s": 2}, "tier": "daily"}),
    ],
)
def test_every_older_version_becomes_the_newest(version: object, settings: dict[str, Any]) -> None:
    before = dict(settings)
    assert migrate(settings, version, STEPS) == {"replay": {"day_s": 2}, "tier": "daily"}
    assert settings == before


def test_a_newer_version_is_refused_by_name() -> None:
    with pytest.raises(Unmigratable, match="4 needs a newer opsctl: this one reads"):
        migrate({}, 4, STEPS)


@pytest.mark.parametrize("version", [0, -1, True, None, "x", "", 1.5, "²", "9" * 5000, [1]])
def test_what_is_no_version_is_refused(version: object) -> None:
    with pytest.raises(Unmigratable, match="must be a whole number from 1 to 3"):
        migrate({}, version, STEPS)


def test_the_format_counts_its_migrations() -> None:
    assert len(MIGRATIONS) + FIRST == FORMAT
    assert migrate({"tier": "daily"}, FORMAT) == {"tier": "daily"}
