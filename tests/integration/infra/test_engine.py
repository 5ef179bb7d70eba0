"""The real engine over resources that are files of this disk."""

from __future__ import annotations

import json
import shutil
from typing import Any

import pytest
from pulumi import ResourceOptions
from pulumi.automation import CommandResult

from opsctl.errors import OpsctlError, UsageError
from opsctl.infra.command import Command
from opsctl.infra.previewed import SECRET, Action, Property
from opsctl.infra.results import Step
from tests.integration.infra.conftest import Stack
from tests.integration.infra.files import Declared, File


def actions(found: object) -> dict[str, Action]:
    return {each.name: each.action for each in found if each.custom}  # type: ignore[attr-defined]


def test_a_stack_from_its_first_preview_to_its_end(stack: Stack) -> None:
    program = stack.program(a="one", b="two")
    planned = stack.engine.preview(program)
    assert actions(planned.changes) == {"a": Action.CREATE, "b": Action.CREATE}
    [a] = [each for each in planned.resources if each.name == "a"]
    assert a.inputs["text"] == "one"
    assert a.parent.endswith("::trading:test:Group::group")
    assert stack.files() == []

    told: list[Step] = []
    made = stack.engine.up(program, told.append)
    assert stack.files() == ["a-1.json", "b-1.json"]
    assert actions(made.changes) == {"a": Action.CREATE, "b": Action.CREATE}
    assert {each.id for each in made.changes} == {"a-1.json", "b-1.json"}
    assert made.outputs["count"].value == 2
    assert {(each.stage, each.name) for each in told} == {
        (stage, name) for stage in ("started", "done") for name in ("a", "b")
    }

    again = stack.engine.up(program)
    assert (again.changes, stack.files()) == ((), ["a-1.json", "b-1.json"])
    assert again.unchanged >= 2

    changed = stack.engine.preview(stack.program(a="another", b="two"))
    [only] = changed.changes
    assert (only.name, only.action) == ("a", Action.UPDATE)
    assert only.properties == (Property(path="text", old="one", new="another"),)
    last = stack.engine.up(stack.program(a="another"))
    assert json.loads((stack.folder / "a-1.json").read_text())["text"] == "another"
    there = {each.urn: each for each in stack.engine.preview(stack.program(a="another")).resources}
    assert {each.urn: each for each in last.there} == there

    gone = stack.engine.destroy()
    assert (actions(gone.changes), gone.there) == ({"a": Action.DELETE}, ())
    assert stack.files() == []
    assert stack.engine.history()[0].kind == "destroy"


def test_a_new_stack_takes_two_runs_of_the_engine(
    stack: Stack, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[str] = []
    run = Command.run

    def noted(self: Command, args: list[str], *words: Any, **more: Any) -> CommandResult:
        asked.append(" ".join(args[:2]))
        return run(self, args, *words, **more)

    monkeypatch.setattr(Command, "run", noted)
    stack.engine.up(stack.program())
    assert asked == ["stack init", "up --yes"]
    del asked[:]
    stack.engine.up(stack.program())
    assert asked == ["stack export", "up --yes"]  # a killed run may have left something


def test_a_replacement_says_for_which_property(stack: Stack) -> None:
    def named(name: str) -> Declared:
        def program() -> None:
            File("a", stack.folder, "one", file=name)

        return program

    stack.engine.up(named("x"))
    renamed = named("y")
    [planned] = stack.engine.preview(renamed).changes
    assert planned.action is Action.REPLACE
    assert planned.properties == (Property(path="name", old="x", new="y", replaces=True),)
    replaced = stack.engine.up(renamed)
    [done] = replaced.changes
    assert done.action is Action.REPLACE
    assert [(each.action, each.inputs["name"]) for each in replaced.there] == [(Action.SAME, "y")]
    assert stack.files() == ["y-1.json"]


def test_what_is_protected_goes_when_it_is_named_and_not_before(stack: Stack) -> None:
    def protected(*names: str) -> Declared:
        def program() -> None:
            for name in names:
                File(name, stack.folder, "one", opts=ResourceOptions(protect=True))

        return program

    stack.engine.up(protected("a", "b"))
    for act in (stack.engine.preview, stack.engine.up):
        with pytest.raises(OpsctlError, match="holds data that would be replaced or") as refused:
            act(protected("b"))
        assert refused.value.hint == "if you mean it: --replace-data a"
    with stack.engine.letting_go(["a"]) as going:
        [gone] = stack.engine.preview(protected("b")).changes
        assert ([gone.urn], gone.action) == ([*going], Action.DELETE)
    # It was not deleted after all: so it is protected again.
    assert sorted(stack.engine.protected().values()) == ["a", "b"]
    with stack.engine.letting_go(["a"]):
        stack.engine.up(protected("b"))
    assert (stack.files(), [*stack.engine.protected().values()]) == (["b-1.json"], ["b"])


def test_drift_is_seen_and_nothing_is_changed(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one", b="two", c="three"))
    assert stack.engine.drift().changes == ()
    (stack.folder / "b-1.json").unlink()
    changed = json.dumps({"name": "c", "text": "by hand"})
    (stack.folder / "c-1.json").write_text(changed)
    for _ in range(2):  # the first look leaves the state as it was
        found = {each.name: each for each in stack.engine.drift().changes}
        assert actions(found.values()) == {"b": Action.DELETE, "c": Action.UPDATE}
        assert Property(path="text", old="three", new="by hand") in found["c"].properties
    assert (stack.folder / "c-1.json").read_text() == changed


def test_what_failed_is_named_and_a_rerun_makes_only_the_rest(stack: Stack) -> None:
    (stack.folder / "fail").write_text("b")
    with pytest.raises(OpsctlError, match=r"b .*cannot be made: .*no room for b") as caught:
        stack.engine.up(stack.program(a="one", b="two"))
    assert "same command again" in caught.value.hint
    assert stack.files() == ["a-1.json"]
    (stack.folder / "fail").unlink()
    done = stack.engine.up(stack.program(a="one", b="two"))
    assert actions(done.changes) == {"b": Action.CREATE}
    assert stack.files() == ["a-1.json", "b-1.json"]


def test_a_secret_is_in_no_result_and_in_no_file_as_plain_text(stack: Stack) -> None:
    program = stack.program(a="one", secret="tell-nobody")
    planned = stack.engine.preview(program)
    made = stack.engine.up(program)
    assert made.outputs["secret"].value == SECRET
    assert stack.engine.outputs() == made.outputs
    shown = f"{planned} {made} {stack.engine.export()} {stack.engine.history()}"
    assert "tell-nobody" not in shown
    for path in stack.workspace.folder.rglob("*"):
        assert path.is_dir() or b"tell-nobody" not in path.read_bytes(), path


def test_what_the_program_refuses_is_told_as_the_program_says_it(stack: Stack) -> None:
    def refusing() -> None:
        raise UsageError("the CIDRs overlap", hint="choose others")

    with pytest.raises(UsageError, match=r"^the CIDRs overlap$"):
        stack.engine.preview(refusing)

    def faulty() -> None:
        raise ZeroDivisionError("of ours")

    with pytest.raises(OpsctlError, match="of ours"):
        stack.engine.preview(faulty)


def test_without_a_stack_there_is_nothing_to_show(stack: Stack) -> None:
    with pytest.raises(UsageError, match="daily has no stack yet"):
        stack.engine.outputs()


def test_a_state_that_is_gone_is_missed_and_not_begun_anew(stack: Stack) -> None:
    made = stack.engine.up(stack.program(a="one"))
    state = stack.workspace.folder / "state"
    kept = state.rename(stack.folder.parent / "kept")
    for change in (stack.engine.up, stack.engine.preview):
        with pytest.raises(OpsctlError, match="the state of daily is gone") as caught:
            change(stack.program(a="one"))
        assert str(stack.workspace.settings) in caught.value.hint
    assert stack.files() == ["a-1.json"]
    shutil.rmtree(state)
    kept.rename(state)
    assert stack.engine.outputs() == made.outputs


def test_a_wrong_passphrase_changes_nothing(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one", secret="s"))
    right = stack.workspace.passphrase.read_text()
    stack.workspace.passphrase.write_text("another")
    with pytest.raises(OpsctlError, match="passphrase does not open the stack") as caught:
        stack.engine.up(stack.program(a="two", b="new", secret="s"))
    assert str(stack.workspace.passphrase) in caught.value.hint
    assert stack.files() == ["a-1.json"]
    assert stack.engine.outputs()["secret"].value == SECRET  # masked, it takes no key
    stack.workspace.passphrase.write_text(right)
    stack.engine.up(stack.program(a="two", secret="s"))
    assert json.loads((stack.folder / "a-1.json").read_text())["text"] == "two"


def test_a_corrupt_state_is_refused_and_an_exported_one_put_in_its_place(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one"))
    kept = stack.engine.export()
    [state] = stack.workspace.folder.glob("state/.pulumi/stacks/trading/daily.json")
    state.write_text(state.read_text()[:200])
    with pytest.raises(OpsctlError, match="state of the stack of daily is corrupt") as caught:
        stack.engine.up(stack.program(a="two", b="new"))
    assert "opsctl stack import daily" in caught.value.hint
    assert stack.files() == ["a-1.json"]
    stack.engine.import_(kept)
    stack.engine.up(stack.program(a="two"))
    assert stack.files() == ["a-1.json"]


def test_a_state_that_contradicts_itself_is_mended(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one", b="two"))
    [path] = stack.workspace.folder.glob("state/.pulumi/stacks/trading/daily.json")
    state = json.loads(path.read_text())
    resources = state["checkpoint"]["latest"]["resources"]
    resources[:] = [r for r in resources if not r["type"].startswith("trading:test:Group")]
    path.write_text(json.dumps(state))
    with pytest.raises(OpsctlError, match="corrupt"):
        stack.engine.up(stack.program(a="one", b="two"))
    assert [each.what for each in stack.engine.repair()] == ["state"]
    assert stack.engine.repair() == ()
    stack.engine.up(stack.program(a="one", b="two"))
    assert len(stack.files()) == 2
