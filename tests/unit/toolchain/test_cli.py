from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from opsctl import evidence
from opsctl.cli.toolchain import app
from opsctl.errors import UsageError
from opsctl.schemas import schema
from opsctl.toolchain import programs

from .test_archive import VERSION, install


def run(*words: str) -> Result:
    return CliRunner().invoke(app, list(words))


def answer(*words: str) -> dict[str, Any]:
    """Return the JSON result of a command, which must be what its schema says."""
    found: dict[str, Any] = json.loads(run(*words, "--output", "json").stdout)
    jsonschema.validate(found, schema(f"toolchain-{words[0]}"))
    return found


@pytest.fixture(autouse=True)
def _no_programs_of_the_machine(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("PATH", "/nonexistent")


def test_list_as_json_and_as_a_table() -> None:
    install()
    found = answer("list")
    assert {p["name"]: p["state"] for p in found["programs"]}["valkey"] == "ready"
    assert "valkey" in run("list").stdout


def test_install_answers_on_stdout_and_reports_on_stderr() -> None:
    install(version=VERSION)
    done = run("install", "valkey", "-o", "json")
    assert done.exit_code == 0
    assert json.loads(done.stdout)["programs"][0]["name"] == "valkey"
    assert programs.missing(["valkey"]) == ()


def test_check_exits_1_and_names_what_changed_and_the_cure() -> None:
    place = install()
    assert run("check").exit_code == 0
    (place / "share" / "notes").write_text("changed")
    done = run("check", "valkey", "-o", "json")
    assert done.exit_code == 1
    [finding] = json.loads(done.stdout)["programs"][0]["findings"]
    assert finding == {"path": "share/notes", "finding": "changed"}


def test_export_then_import(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    install()
    made = answer("export", str(tmp_path / "t.tar"), "valkey")
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path / "elsewhere"))
    done = run("import", str(tmp_path / "t.tar"), "--sha256", made["sha256"])
    assert done.exit_code == 0, done.output
    assert programs.missing(["valkey"]) == ()
    assert answer("import", str(tmp_path / "t.tar"))["programs"] == made["programs"]
    assert answer("check")["verdict"] == "passed"
    assert answer("install", "valkey")["programs"][0]["name"] == "valkey"


def test_what_changes_the_toolchain_is_in_the_evidence(tmp_path: Path) -> None:
    assert run("install", "valkey").exit_code == 0
    assert run("install", "valkey").exit_code == 0  # nothing is left to do
    run("export", str(tmp_path / "t.tar"), "valkey")
    run("import", str(tmp_path / "t.tar"), "--sha256", "0" * 64)
    obtained, refused = evidence.log().read()
    assert (obtained.command, obtained.outcome) == ("toolchain install", "done")
    assert [p["name"] for p in obtained.result["programs"]] == ["valkey"]
    assert (refused.command, refused.outcome) == ("toolchain import", "failed")


def test_an_unknown_program_is_a_usage_error() -> None:
    assert isinstance(run("check", "redis").exception, UsageError)


@pytest.mark.parametrize("command", ["list", "install", "check", "export", "import"])
def test_every_command_has_help_with_an_example(command: str) -> None:
    shown = run(command, "--help").stdout
    assert f"Example: opsctl toolchain {command}" in shown
    assert "--output" in shown
