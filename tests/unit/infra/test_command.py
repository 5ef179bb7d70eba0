"""How signals to opsctl come to the engine, with a program in its place that counts them."""

from __future__ import annotations

import os
import signal
import threading
from datetime import UTC, datetime
from pathlib import Path

import pytest
from pulumi.automation.errors import CommandError

from opsctl.infra import command, session
from tests.support.process import wait_for

ENGINE = """\
#!/bin/sh
trap 'taken=$((taken+1)); echo $taken >{taken}; [ $taken -lt {enough} ] || exit 1' INT
touch {ready}
for _ in $(seq {turns}); do sleep 0.02; done
exit 1
"""


@pytest.fixture(autouse=True)
def _soon(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(command, "AGAIN_S", 0.1)


def signalled(
    folder: Path, *numbers: signal.Signals, enough: int, turns: int
) -> tuple[list[str], str]:
    """Signal a command; return what it said, and how many signals its engine took.

    The engine ends at `enough` of them, or after so many `turns` of 20 ms.
    """
    engine, ready, taken = folder / "pulumi", folder / "ready", folder / "taken"
    engine.write_text(ENGINE.format(taken=taken, ready=ready, enough=enough, turns=turns))
    engine.chmod(0o755)
    said: list[str] = []
    run = command.Command(engine, "3.0.0", said.append)
    now = datetime.now(UTC)
    run.changing = session.Note(run="1", command="update", opsctl=1, since=now, unsettled=now)

    def send() -> None:
        wait_for(ready.exists, "the engine")
        for count, number in enumerate(numbers, 1):
            os.kill(os.getpid(), number)
            wait_for(lambda count=count: len(said) >= count, "its being passed on")  # type: ignore[misc]

    sending = threading.Thread(target=send)
    sending.start()
    with pytest.raises(CommandError):
        run.run(["up"], str(folder), {})
    sending.join()
    assert run.stopped is numbers[0]
    return said, taken.read_text().strip()


def test_one_signal_is_passed_on_once(tmp_path: Path) -> None:
    said, taken = signalled(tmp_path, signal.SIGTERM, enough=9, turns=25)
    assert said == ["ending the operations that have begun; once more gives them up"]
    assert taken == "1"


def test_an_engine_that_is_to_give_up_is_told_until_it_has(tmp_path: Path) -> None:
    said, taken = signalled(tmp_path, signal.SIGINT, signal.SIGINT, enough=3, turns=500)
    assert said[1:] == ["giving up: what was half-done is noted in the state"]
    assert taken == "3"
