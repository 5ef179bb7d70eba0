"""`opsctl stack`, run as the command that it is."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema

from opsctl import schemas
from tests.integration.infra.conftest import Stack


def result(stack: Stack, *words: str, code: int = 0) -> Any:
    """Run a command with `--output json`; its result fits its schema."""
    done = stack.opsctl(*words, "--output", "json")
    assert done.returncode == code, done.stderr
    found = json.loads(done.stdout)
    jsonschema.validate(found, json.loads(schemas.path(f"stack-{words[0]}").read_text()))
    return found


def test_it_shows_outputs_history_and_drift(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one", secret="tell-nobody"))
    shown = stack.opsctl("outputs", "daily").stdout
    assert "[secret]" in shown
    assert "tell-nobody" not in shown
    found = result(stack, "outputs", "daily")
    assert found["outputs"]["count"] == {"value": 1, "secret": False}
    assert found["outputs"]["secret"] == {"value": "[secret]", "secret": True}
    [update] = result(stack, "history", "daily")["updates"]
    assert (update["kind"], update["result"]) == ("update", "succeeded")
    assert result(stack, "drift", "daily")["verdict"] == "none"
    (stack.folder / "a-1.json").unlink()
    drifted = result(stack, "drift", "daily", code=3)
    assert [(each["name"], each["action"]) for each in drifted["resources"]] == [("a", "delete")]


def test_what_is_exported_can_be_imported_and_the_former_state_is_kept(
    stack: Stack, tmp_path: Path
) -> None:
    stack.engine.up(stack.program(a="one"))
    file = tmp_path / "state.json"
    exported = result(stack, "export", "daily", str(file))
    assert exported["resources"] >= 3
    assert file.stat().st_mode & 0o777 == 0o600
    stack.engine.up(stack.program(a="one", b="two"))
    refused = stack.opsctl("import", "daily", str(file))
    assert refused.returncode == 2
    assert "--yes" in refused.stderr
    imported = result(stack, "import", "daily", str(file), "--yes")
    kept = json.loads(Path(imported["before"]).read_text())
    assert len(kept["deployment"]["resources"]) == exported["resources"] + 1
    assert [each.name for each in stack.engine.up(stack.program(a="one", b="x")).changes] == ["b"]


def test_a_file_that_is_no_state_of_this_environment_is_refused(
    stack: Stack, tmp_path: Path
) -> None:
    stack.engine.up(stack.program(a="one"))
    file = tmp_path / "state.json"
    for text, word in (
        ("{", "no JSON"),
        ("{}", "no exported state"),
        (
            json.dumps(
                {
                    "version": 3,
                    "deployment": {"resources": [{"urn": "urn:pulumi:other::trading::t::n"}]},
                }
            ),
            "state of other, not of daily",
        ),
    ):
        file.write_text(text)
        done = stack.opsctl("import", "daily", str(file), "--yes")
        assert done.returncode == 2
        assert word in done.stderr
    assert len(stack.engine.history()) == 1


def test_repair_says_what_it_settled(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one"))
    assert result(stack, "repair", "daily")["mended"] == []
    wrong = stack.opsctl("repair", "daily", "--made", "a")
    assert wrong.returncode == 2
    assert "NAME=ID" in wrong.stderr
