"""`opsctl drill`: what it lists, and what it refuses before it breaks anything."""

from __future__ import annotations

from pathlib import Path

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


def test_sound_scenarios_are_sound_and_a_faulty_one_is_taken_apart(
    opsctl: Opsctl, tmp_path: Path
) -> None:
    done = opsctl("drill", "check", "--output", "json")
    assert done.code == 0
    assert {each["file"] for each in done.json["scenarios"]} > {"leader-kill.yaml", "random.yaml"}
    file = tmp_path / "mine.yaml"
    file.write_text("format: 2\nname: mine\nfaults:\n  - kind: kil\n  - hold_s: 1\n")
    done = opsctl("drill", "check", "leader-kill", str(file), "--output", "json")
    assert done.code == 2
    sound, faulty = done.json["scenarios"]
    assert (sound["faults"], faulty["file"]) == ([], str(file))
    assert [(each["path"], each["line"]) for each in faulty["faults"]] == [
        ("title", 1),
        ("hypothesis", 1),
        ("leadership", 1),
        ("goal", 1),
        ("faults.0.kind", 4),
        ("faults.1.kind", 5),
    ]
    shown = opsctl("drill", "check", str(file))
    assert shown.code == 2
    assert "did you mean kill?" in shown.out
    assert opsctl("drill", "check", "nonsense").code == 2
