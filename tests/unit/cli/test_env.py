from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from opsctl import environments
from opsctl.cli.env import app
from opsctl.environment_files import inspect
from opsctl.errors import OpsctlError, UsageError
from opsctl.model.environment import Environment
from opsctl.model.layers import leaves
from opsctl.schemas import path as schema_path


@pytest.fixture(autouse=True)
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A project with one sound environment and one faulty."""
    (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    (tmp_path / "Pulumi.mine.yaml").write_text(
        "config:\n  trading:tier: daily\n  trading:dr: cold\n  trading:live: true\n"
    )
    (tmp_path / "Pulumi.bad.yaml").write_text(
        "config:\n  trading:tier: weekly\n  trading:limits:\n    max_order_shares: 0\n"
    )
    monkeypatch.chdir(tmp_path)
    return tmp_path


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def printed(name: str, *words: str) -> Any:
    """Run with `--output json` and hold what it prints against its schema."""
    found = json.loads(run(*words, "--output", "json").stdout)
    jsonschema.validate(found, json.loads(schema_path(name).read_text()))
    return found


def refused(*words: str) -> OpsctlError:
    error = run(*words).exception
    assert isinstance(error, OpsctlError), error
    return error


def test_list_has_every_environment_the_faulty_too(project: Path) -> None:
    found = printed("env-list", "list")
    assert found["folder"] == str(project)
    assert [(row["environment"], row["tier"], row["live"], row["faults"])
            for row in found["environments"]] == [
        ("bad", "weekly", False, 1),
        ("mine", "daily", True, 0),
    ]  # fmt: skip
    table = run("list").stdout
    assert "1 faults" in table
    assert "live" in table


def test_show_has_every_value_and_where_it_came_from() -> None:
    found = printed("env-show", "show", "mine", "--set", "trading:replay.day_s=0")
    by_key = {value["key"]: value for value in found["values"]}
    expected = environments.load("mine").environment.model_dump(exclude={"name"})
    assert len(by_key) == len(list(leaves(expected)))
    assert by_key["trading:replay.day_s"]["origin"] == "flag"
    assert by_key["trading:replay.day_s"]["value"] == "0"
    assert by_key["trading:tier"] == {
        "key": "trading:tier",
        "value": "daily",
        "origin": "file",
        "file": "Pulumi.mine.yaml",
        "line": 2,
        "meaning": "latency tier: how fast an order follows a tick",
    }
    assert by_key["trading:allow-unmet"]["origin"] == "default"
    assert all(value["meaning"] for value in found["values"])


def test_show_as_a_table_names_file_and_line() -> None:
    lines = run("show", "--tier", "daily").stdout.splitlines()
    assert ["trading:dr", "cold", "Pulumi.mine.yaml:3"] in [line.split() for line in lines]


def test_show_says_what_an_allowed_environment_cannot_meet(project: Path) -> None:
    words = ("show", "mine", "--set", "tier=hft", "--allow-unmet")
    assert len(printed("env-show", *words)["unmet"]) == 2
    assert "cannot be met" in run(*words).stdout
    assert "hft cannot be met" in refused("show", "mine", "--set", "tier=hft").details[0]


def test_show_and_check_say_what_is_a_rehearsal(project: Path) -> None:
    assert printed("env-show", "show", "mine")["rehearsal"] == ""
    words = ("show", "mine", "--dr", "hot")
    assert "rehearsed here, not met" in printed("env-show", *words)["rehearsal"]
    assert "rehearsal: sites a and b share one host" in run(*words).stdout
    (project / "Pulumi.twin.yaml").write_text("config:\n  trading:tier: intraday\n")
    (found,) = printed("env-check", "check", "twin")["environments"]
    assert found["verdict"] == "passed"
    assert "rehearsed here, not met" in found["rehearsal"]
    assert "rehearsal: sites a and b share one host" in run("check", "twin").stdout


def test_check_of_one_and_of_all() -> None:
    assert run("check", "mine").exit_code == 0
    assert run("check", "bad").exit_code == run("check").exit_code == 2
    found = printed("env-check", "check")
    assert [row["verdict"] for row in found["environments"]] == ["failed", "passed"]
    assert found["environments"][0]["faults"] == [
        {
            "path": "trading:limits.max_order_shares",
            "problem": "must be > 0, not 0",
            "file": "Pulumi.bad.yaml",
            "line": 4,
        }
    ]
    assert "trading:limits.max_order_shares: must be > 0, not 0" in run("check").stdout
    assert refused("check", "nobody").exit_code == 2


def test_new_extends_another_and_is_sound(project: Path) -> None:
    found = printed("env-new", "new", "fresh", "--from", "mine")
    assert found["files"] == [str(project / "Pulumi.fresh.yaml")]
    mine = environments.load("mine").environment
    assert environments.load("fresh").environment == mine.model_copy(update={"name": "fresh"})


def test_new_by_tier_has_the_tiers_own_dr(project: Path) -> None:
    assert run("new", "daily", "--tier", "daily").exit_code == 0
    text = (project / "Pulumi.daily.yaml").read_text()
    assert "  trading:dr: warm\n" in text
    assert environments.load("daily").environment == Environment.model_validate(
        {"name": "daily", "tier": "daily", "dr": "warm"}
    )


def test_every_setting_of_a_new_file_can_be_uncommented(project: Path) -> None:
    run("new", "full", "--tier", "weekly")
    path = project / "Pulumi.full.yaml"
    head, config, body = path.read_text().partition("config:\n")
    lines = body.splitlines()
    settings = [line.replace("# ", "", 1) for line in lines if ": " in line or ":" in line[-1:]]
    kept = [line for line in settings if line.strip().split(":")[0].isidentifier()]
    path.write_text(head + config + "\n".join(kept) + "\n")
    loaded = environments.load("full")
    default = Environment.model_validate({"name": "full", "tier": "weekly", "dr": "cold"})
    assert loaded.environment == default
    assert {origin.kind for origin in loaded.origins.values()} == {"file"}


def test_new_never_overwrites(project: Path) -> None:
    before = (project / "Pulumi.mine.yaml").read_text()
    error = refused("new", "mine", "--tier", "weekly")
    assert "is there already" in error.message
    assert error.exit_code == 2
    assert (project / "Pulumi.mine.yaml").read_text() == before


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--tier", "hft"), "hft cannot be met on target local"),
        (("--tier", "daily", "--target", "kubernetes"), "kubernetes is not available"),
        (("--from", "bad"), "trading:limits.max_order_shares: must be > 0"),
    ],
)
def test_new_refuses_what_would_be_faulty(project: Path, words: tuple[str, ...], said: str) -> None:
    error = refused("new", "fast", *words)
    assert any(said in detail for detail in error.details)
    assert not (project / "Pulumi.fast.yaml").exists()


def test_new_writes_an_unmet_tier_where_it_is_allowed() -> None:
    assert run("new", "fast", "--tier", "hft", "--allow-unmet").exit_code == 0
    assert environments.load("fast").environment.allow_unmet


def test_new_needs_a_tier_or_a_base_and_a_name_that_fits() -> None:
    assert "needs a tier" in refused("new", "fresh").message
    assert "its name must match" in refused("new", "Fresh_1", "--tier", "weekly").details[0]
    assert "did you mean mine?" in refused("new", "fresh", "--from", "mien").hint


def test_new_outside_a_project_makes_one(
    tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch
) -> None:
    folder = tmp_path_factory.mktemp("empty")
    monkeypatch.chdir(folder)
    assert run("new", "quick", "--from", "research").exit_code == 0
    assert sorted(path.name for path in folder.iterdir()) == [
        "Pulumi.quick.yaml",
        "Pulumi.research.yaml",
        "Pulumi.weekly.yaml",
        "Pulumi.yaml",
    ]
    assert inspect(None).verdict == "passed"
    assert environments.load("quick").environment.replay.day_s == 0


def test_folders_that_cannot_be_written(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(*_: object, **__: object) -> None:
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "open", denied)
    error = refused("new", "fresh", "--tier", "weekly")
    assert "cannot be written: Permission denied" in error.message


@pytest.mark.parametrize("command", ["list", "show", "new", "check"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    assert f"Example: opsctl env {command}" in run(command, "--help").stdout


def test_set_needs_a_key_and_a_value() -> None:
    assert isinstance(refused("show", "mine", "--set", "tier"), UsageError)
