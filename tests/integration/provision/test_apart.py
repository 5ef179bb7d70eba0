"""Work on boxes in a process of its own, by real processes."""

from __future__ import annotations

import os
import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from opsctl.errors import Locked, OpsctlError
from opsctl.provision import apart
from tests.integration.provision.serving import MODULE, Answer, Heard
from tests.support.process import Process, freeze, processes, wait_for


@pytest.fixture
def asking(tmp_path: Path) -> Iterator[Process]:
    """A process that has asked, whose work waits; everything of it bears its folder's name."""
    process = Process(
        [sys.executable, "-m", MODULE, "ask", f"wait {tmp_path}"],
        tmp_path / "log",
        env={**os.environ, "PYTHONPATH": str(Path(__file__).parents[3])},
    )
    process.behind("env", "--default-signal=INT")
    process.start()
    wait_for(lambda: "waiting" in process.log(), "the work")
    yield process
    process.kill()
    for pid in processes(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def test_it_is_another_process_that_tells_how_far_it_is() -> None:
    heard = Heard()
    answer = Answer.model_validate_json(apart.ask(MODULE, "echo a word", heard))
    assert answer.text == "a word"
    assert answer.pid != os.getpid()
    assert heard.lines == ["box: read all of it", "box: Look"]


def test_what_goes_wrong_is_raised_here_in_its_kind() -> None:
    with pytest.raises(Locked, match="box is held") as caught:
        apart.ask(MODULE, "locked", Heard())
    assert (caught.value.hint, caught.value.details) == ("wait", ("by whom", "since when"))


def test_one_that_dies_is_told_with_its_last_words() -> None:
    with pytest.raises(OpsctlError, match="ended with code 9 and without an answer") as caught:
        apart.ask(MODULE, "die", Heard())
    assert caught.value.details == ("the last words",)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_stops_the_work_where_it_is_safe(
    asking: Process, tmp_path: Path, number: signal.Signals
) -> None:
    assert asking.stop(number) == 1
    assert "stopping at the next safe point" in asking.log()
    assert f"Interrupted: stopped by {number.name}" in asking.log()
    assert not processes(str(tmp_path))


def test_a_second_one_stops_it_at_once(asking: Process, tmp_path: Path) -> None:
    (worker,) = processes("input()", str(tmp_path))
    freeze(worker)  # so that it does not come to an end by itself
    os.kill(asking.pid, signal.SIGINT)
    wait_for(lambda: "stopping at the next safe point" in asking.log(), "it to hear")
    assert asking.stop(signal.SIGINT, 30) == -signal.SIGINT
    wait_for(lambda: not processes(str(tmp_path)), "all of it to end", 30)


def test_killed_above_it_the_work_ends(asking: Process, tmp_path: Path) -> None:
    asking.kill()
    wait_for(lambda: not processes(str(tmp_path)), "all of it to end", 30)
