from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema
import pytest
from typer.testing import CliRunner, Result

from opsctl import evidence
from opsctl.cli import evidence as command
from opsctl.errors import OpsctlError
from opsctl.evidence import Head, Store
from opsctl.schemas import path as schema_path


@pytest.fixture(autouse=True)
def runs(state: Path, monkeypatch: pytest.MonkeyPatch) -> list[evidence.Run]:
    """Three lines: deploy daily, deploy weekly (failed), destroy daily."""
    monkeypatch.setenv("OPSCTL_SSH_KEY", str(state / "none"))
    made: list[evidence.Run] = []
    for words, code in (("deploy daily", 0), ("deploy weekly", 3), ("destroy daily", 0)):
        name, environment = words.split()
        with evidence.recorded(
            command=name, environment=environment, arguments={"verify": True}
        ) as run:
            run.exit_code = code
            run.result = {"changes": 2}
        made.append(run)
    return made


def run(*words: str) -> Result:
    return CliRunner().invoke(command.app, list(words))


def printed(name: str, *words: str) -> Any:
    """Run with `--output json` and hold what it prints against its schema."""
    found = json.loads(run(*words, "--output", "json").stdout)
    jsonschema.validate(found, json.loads(schema_path(name).read_text()))
    return found


def listed(*words: str) -> list[int]:
    return [line["index"] for line in printed("evidence-list", "list", *words)["lines"]]


def test_list_filters_and_limits() -> None:
    assert listed() == [0, 1, 2]
    assert listed("--environment", "daily") == [0, 2]
    assert listed("--command", "deploy") == [0, 1]
    assert listed("--command", "deploy", "--environment", "daily") == [0]
    assert listed("--limit", "2") == [1, 2]
    assert listed("--limit", "0") == [0, 1, 2]
    assert printed("evidence-list", "list", "--limit", "1")["total"] == 3


def test_list_as_a_table() -> None:
    table = run("list", "--limit", "1").stdout
    assert "destroy" in table
    assert "2 older lines: --limit 0 lists all" in table
    assert "no evidence of that" in run("list", "--command", "rollback").stdout


def test_show_takes_a_run_a_line_a_beginning_or_the_last(runs: list[evidence.Run]) -> None:
    def shown(*words: str) -> str:
        return str(printed("evidence-show", "show", *words)["line"]["run"])

    assert shown() == runs[2].id
    assert shown("1") == shown(runs[1].id) == shown(runs[1].id[:-1]) == runs[1].id
    assert printed("evidence-show", "show")["files"] == ["debug.log", "run.json"]
    assert '"changes": 2' in run("show", "0").stdout


@pytest.mark.parametrize(("word", "said"), [("2", "fits 3 runs"), ("nope", "is of run nope")])
def test_show_of_none_or_of_several(word: str, said: str, runs: list[evidence.Run]) -> None:
    # Every id begins with the year; line 2 is there, so the word must be longer than it.
    error = run("show", runs[0].id[:4] if word == "2" else word).exception
    assert isinstance(error, OpsctlError)
    assert error.exit_code == 2
    assert said in error.message


def test_show_without_any_evidence() -> None:
    evidence.log().lines.unlink()
    assert isinstance(run("show").exception, OpsctlError)


def test_verify_passes_and_says_what_is_not_known() -> None:
    done = run("verify")
    assert done.exit_code == 0
    assert "passed" in done.stdout
    assert "note: the head is not signed" in done.stdout
    found = printed("evidence-verify", "verify")
    assert (found["lines"], found["anchor"]["state"]) == (3, "none")


def test_verify_names_what_is_wrong_and_exits_3() -> None:
    path = evidence.log().lines
    lines = path.read_text().splitlines(keepends=True)
    path.write_text(lines[0] + lines[2])
    done = run("verify")
    assert done.exit_code == 3
    assert "missing: line 1 is missing" in done.stdout
    assert printed("evidence-verify", "verify")["verdict"] == "failed"


def test_verify_compares_with_the_anchor_of_an_environment(
    runs: list[evidence.Run], monkeypatch: pytest.MonkeyPatch
) -> None:
    store = Store(endpoint="http://store", access_key="a", secret_key="b")
    kept: list[Head] = [run.head for run in runs if run.head]
    monkeypatch.setattr(command, "_store", lambda name: {"daily": store}[name])
    monkeypatch.setattr(evidence, "anchored", lambda asked: {store: tuple(kept)}[asked])
    found = printed("evidence-verify", "verify", "--environment", "daily")
    assert found["anchor"] == {
        "state": "compared",
        "index": 2,
        "where": "http://store/evidence",
        "detail": "",
    }
    log = evidence.log()
    log.lines.write_bytes(log.lines.read_bytes().splitlines(keepends=True)[0])
    log.heads.unlink()
    assert run("verify").exit_code == 0
    assert run("verify", "-e", "daily").exit_code == 3


@pytest.mark.parametrize("name", ["list", "show", "verify"])
def test_every_command_has_help_with_an_example(name: str) -> None:
    assert f"Example: opsctl evidence {name}" in run(name, "--help").stdout
