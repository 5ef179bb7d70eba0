"""kill -9, Ctrl-C and two at once: what exists is never lost from sight, nor made twice."""

from __future__ import annotations

import os
import signal
from pathlib import Path

import pytest

from opsctl.errors import Locked, OpsctlError
from opsctl.infra import pending, session
from opsctl.infra.engine import Engine
from tests.integration.infra.conftest import Stack
from tests.integration.infra.files import declared
from tests.support.process import Process, wait_for


def kill_all(stack: Stack, command: Process, *, plugins: bool) -> str:
    """Kill a command and its engine, its plugins too or not; return the mark of the run."""
    note = session.left(stack.workspace.note)
    assert note is not None
    there = session.members(note.run)
    command.kill()
    for pid, name in there.items():
        if plugins or name == "pulumi":
            os.kill(pid, signal.SIGKILL)
    engines = [pid for pid, name in there.items() if name == "pulumi"]
    wait_for(lambda: not any(Path(f"/proc/{pid}/environ").exists() for pid in engines), "its end")
    return note.run


@pytest.mark.parametrize("instant", ["a", "a.made"])
@pytest.mark.parametrize("plugins", [True, False], ids=["all", "orphans"])
def test_killed_while_something_was_made(stack: Stack, instant: str, plugins: bool) -> None:
    stack.hold(instant)
    command = stack.command("up", "a=one", "b=two")
    command.start()
    stack.begun(instant)
    run = kill_all(stack, command, plugins=plugins)
    assert bool(session.members(run)) is not plugins
    before = stack.files()
    assert ("a-1.json" in before) is (instant == "a.made")
    assert [each.name for each in stack.engine.unfinished() if each.name == "a"] == ["a"]
    stack.let_go()
    stack.engine.up(stack.program(a="one", b="two"))
    assert session.members(run) == {}
    assert stack.files() == ["a-1.json", "b-1.json"]
    assert stack.engine.unfinished() == ()
    stack.engine.destroy()
    assert stack.files() == []


def test_killed_while_something_was_deleted(stack: Stack) -> None:
    stack.engine.up(stack.program(a="one", b="two"))
    stack.hold("a.deleting")
    command = stack.command("destroy")
    command.start()
    stack.begun("a.deleting")
    kill_all(stack, command, plugins=True)
    stack.let_go()
    stack.engine.destroy()
    assert stack.files() == []


def test_an_engine_whose_opsctl_was_killed_ends_what_it_began(stack: Stack) -> None:
    stack.hold("a")
    command = stack.command("up", "a=one", "b=two")
    command.start()
    stack.begun("a")
    command.kill()
    stack.let_go()
    stack.engine.up(stack.program(a="one", b="two"))
    assert stack.files() == ["a-1.json", "b-1.json"]
    assert stack.engine.unfinished() == ()


def test_where_nobody_can_tell_what_was_made_nothing_is_changed(stack: Stack) -> None:
    stack.hold("a.made")
    command = stack.command("up", "a=one")
    command.start()
    stack.begun("a.made")
    kill_all(stack, command, plugins=True)
    stack.let_go()
    engine = Engine(stack.workspace)
    with pytest.raises(OpsctlError, match="was creating what may exist") as caught:
        engine.up(stack.program(a="one"))
    assert "--not-made a" in caught.value.hint
    assert stack.files() == ["a-1.json"]
    [mended] = stack.engine.repair(pending.said({"a": "a-1.json"}, ()))
    assert (mended.what, mended.name) == ("operation", "a")
    engine.up(stack.program(a="one"))
    assert stack.files() == ["a-1.json"]


def test_two_at_once_the_second_is_told_who_holds_it(stack: Stack) -> None:
    stack.hold("a")
    command = stack.command("up", "a=one")
    command.start()
    stack.begun("a")
    with pytest.raises(Locked, match=f"pid {command.pid} ") as caught:
        stack.engine.up(stack.program(a="two", b="new"))
    assert "wait until it ends" in caught.value.hint
    stack.let_go()
    assert command.popen is not None
    assert command.popen.wait(120) == 0, command.log()
    assert stack.files() == ["a-1.json"]


def test_the_first_signal_ends_what_has_begun_and_begins_nothing(stack: Stack) -> None:
    stack.hold("a")
    stack.engine.up(stack.program())
    command = stack.command("up", "a=one")
    command.start()
    stack.begun("a")
    os.kill(command.pid, signal.SIGINT)
    wait_for(lambda: "once more gives them up" in command.log(), "the announcement")
    stack.let_go()
    assert command.popen is not None
    assert command.popen.wait(120) == 1, command.log()
    assert "stopped by SIGINT" in command.log()
    assert stack.files() == ["a-1.json"]
    assert stack.engine.unfinished() == ()
    assert stack.engine.up(stack.program(a="one")).changes == ()


def test_a_second_signal_gives_up_and_the_next_command_settles_it(stack: Stack) -> None:
    stack.hold("a.made")
    command = stack.command("up", "a=one")
    command.start()
    stack.begun("a.made")
    os.kill(command.pid, signal.SIGTERM)
    wait_for(lambda: "once more gives them up" in command.log(), "the announcement")
    os.kill(command.pid, signal.SIGINT)
    assert command.popen is not None
    assert command.popen.wait(120) == 1, command.log()
    assert session.left(stack.workspace.note) is None
    stack.let_go()
    stack.engine.up(stack.program(a="one"))
    assert stack.files() == ["a-1.json"]


def test_killed_while_a_replacement_was_made_its_predecessor_goes_all_the_same(
    stack: Stack,
) -> None:
    stack.engine.up(stack.program(a="one"))
    stack.hold("b.made")
    command = stack.command("up", "a=one", "--as", "a=b")
    command.start()
    stack.begun("b.made")
    kill_all(stack, command, plugins=True)
    assert stack.files() == ["a-1.json", "b-1.json"]
    stack.let_go()
    stack.engine.up(declared(stack.folder, {"a": "one"}, files={"a": "b"}))
    assert stack.files() == ["b-1.json"]
