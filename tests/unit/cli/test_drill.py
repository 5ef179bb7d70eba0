"""`opsctl drill`: what it lists, and what it refuses before it breaks anything."""

from __future__ import annotations

from pathlib import Path

import jsonschema
import pytest

from opsctl import schemas
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
    assert "did you mean kill?" in " ".join(shown.out.split())
    assert opsctl("drill", "check", "nonsense").code == 2


@pytest.mark.parametrize("word", ["burst_orders", "nonsense=1", "strategies=0"])
def test_a_load_that_cannot_be_traded_is_refused(opsctl: Opsctl, word: str) -> None:
    done = opsctl("drill", "run", "leader-freeze", "daily", "--load", word)
    assert done.code == 2
    assert word.partition("=")[0] in done.err


def test_what_is_due_is_shown_asked_for_and_written_as_units(
    opsctl: Opsctl, target: FakeTarget
) -> None:
    opsctl("deploy", "daily", "--no-verify")
    found = opsctl("drill", "schedule", "daily", "--output", "json")
    assert found.code == 0
    assert {each["due"] for each in found.json["scenarios"]} == {True}
    assert "leader-kill" in opsctl("drill", "schedule", "daily").out
    assert opsctl("drill", "schedule", "daily", "--due", "leader-kill").code == 0
    assert "ExecCondition=" in opsctl("drill", "schedule", "daily", "-o", "systemd").out
    assert "CRON_TZ=" in opsctl("drill", "schedule", "daily", "-o", "cron").out
    unknown = opsctl("drill", "schedule", "daily", "--due", "nonsense")
    assert (unknown.code, "no scenario nonsense" in unknown.err) == (2, True)


def test_units_of_a_live_environment_have_to_be_meant(opsctl: Opsctl, target: FakeTarget) -> None:
    opsctl("deploy", "daily", "--no-verify", "--set", "live=true", "--live", "--yes")
    refused = opsctl("drill", "schedule", "daily", "-o", "cron")
    assert (refused.code, "daily is live" in refused.err) == (2, True)
    assert "--live --yes" in opsctl("drill", "schedule", "daily", "-o", "cron", "--live").out


def test_a_scenario_is_shown_as_a_file_that_is_sound(opsctl: Opsctl, tmp_path: Path) -> None:
    done = opsctl("drill", "show", "journal-quorum-loss", "--output", "json")
    assert done.code == 0
    jsonschema.validate(done.json, schemas.schema("drill-show"))
    assert (done.json["source"], done.json["scenario"]["recovery"]) == ("shipped", "after-lift")
    shown = opsctl("drill", "show", "double-fault").out
    assert shown.startswith("# shipped")
    file = tmp_path / "mine.yaml"
    file.write_text(shown)
    assert opsctl("drill", "check", str(file)).code == 0
