"""`opsctl drill`: what it lists, and what it refuses before it breaks anything."""

from __future__ import annotations

import pytest

from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget


def test_the_scenarios_are_listed(opsctl: Opsctl) -> None:
    done = opsctl("drill", "list", "--output", "json")
    assert done.code == 0
    found = {each["name"]: each for each in done.json["scenarios"]}
    assert found["leader-freeze"]["parameters"] == {"hold_s": 30.0}
    assert "site-loss" in opsctl("drill", "list").out


@pytest.mark.parametrize("setting", ["hold_s", "hold_s=long", "=2"])
def test_a_set_that_is_no_pair_is_refused(opsctl: Opsctl, setting: str) -> None:
    done = opsctl("drill", "run", "leader-freeze", "daily", "--set", setting)
    assert done.code == 2
    assert "NAME=VALUE" in done.err


def test_an_environment_that_is_not_deployed_is_refused(opsctl: Opsctl) -> None:
    done = opsctl("drill", "run", "leader-kill", "daily")
    assert done.code == 2
    assert "not deployed" in done.err


def test_one_site_is_blocked_and_says_what_it_lacks(opsctl: Opsctl, target: FakeTarget) -> None:
    opsctl("deploy", "daily", "--no-verify")
    done = opsctl("drill", "run", "leader-kill", "daily", "--output", "json")
    assert done.code == 3
    assert done.json["verdict"] == "blocked"
    assert "trading:dr: hot" in done.json["findings"][0]
