"""What services may use: a default for each, and what an environment asks in its place."""

from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import ValidationError

from opsctl.model.resources import DEFAULTS, REALTIME, Asked, Resources, resources
from opsctl.model.tiers import LatencyTier
from opsctl.services.catalogue import NAMES

PAGE = (Path(__file__).parents[3] / "docs" / "resources.md").read_text()


def test_every_service_of_the_catalogue_has_a_default() -> None:
    assert set(DEFAULTS) == NAMES


def test_what_is_asked_replaces_what_it_names_and_nothing_else() -> None:
    asked = Asked(memory_mb=4_096, cpus="2")
    given = resources("execution", LatencyTier.INTRADAY, asked)
    default = DEFAULTS["execution"]
    assert given == default.model_copy(update={"memory_mb": 4_096, "cpus": "2"})
    assert resources("execution", LatencyTier.INTRADAY) == default


def test_a_small_memory_lowers_what_is_reserved_of_it() -> None:
    assert resources("strategy", LatencyTier.DAILY, Asked(memory_mb=64)).reserved_mb == 64


@pytest.mark.parametrize("service", sorted(NAMES))
def test_the_tier_hft_has_real_time_between_tick_and_order(service: str) -> None:
    for tier in LatencyTier:
        given = resources(service, tier)
        fast = tier is LatencyTier.HFT and service in REALTIME
        assert (given.realtime > 0, given.lock_memory) == (fast, fast)


def test_what_is_on_the_order_path_is_killed_last() -> None:
    first = {name for name, given in DEFAULTS.items() if given.oom_score}
    path = {"etcd", "valkey", "data", "strategy", "execution", "network", "venue"}
    assert first == NAMES - path
    assert all(DEFAULTS[name].reserved_mb for name in path)


@pytest.mark.parametrize(
    ("field", "value"),
    [
        ("memory_mb", 5),
        ("memory_mb", True),
        ("cpus", "0-"),
        ("cpus", "one"),
        ("realtime", 100),
        ("oom_score", -1),
        ("quota", 1),
    ],
)
def test_what_makes_no_sense_is_refused(field: str, value: object) -> None:
    with pytest.raises(ValidationError, match=field):
        Asked.model_validate({field: value})


def test_both_have_the_same_fields() -> None:
    assert set(Asked.model_fields) == set(Resources.model_fields)


@pytest.mark.parametrize("service", sorted(NAMES))
def test_the_page_has_the_defaults(service: str) -> None:
    given = DEFAULTS[service]
    row = f"| {service} | {given.memory_mb} | {given.reserved_mb or ''} | {given.oom_score} |"
    assert row.replace("|  |", "| |") in PAGE


def test_the_page_has_every_setting() -> None:
    assert not [name for name in Asked.model_fields if f"| `{name}` |" not in PAGE]
