"""One opsctl at a time works on a box; what a killed one left is found."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from opsctl import evidence
from opsctl.errors import Locked
from opsctl.provision import holding

HOLDER = """
import sys, time
from opsctl import evidence
from opsctl.provision import holding
with holding.held(["ny4-1"], "opsctl provision ny4-1"):
    with evidence.recorded(command="provision") as run:
        holding.begin("ny4-1", run.id, "provision", "apply")
        print(run.id, flush=True)
        time.sleep(60)
"""


def test_a_second_one_is_refused_and_told_who_holds_it() -> None:
    with (
        holding.held(["ny4-1", "ny4-2"], "opsctl provision ny4-1 ny4-2"),
        pytest.raises(Locked, match=rf"ny4-2 is held by `opsctl .*pid {os.getpid()}"),
        holding.held(["ny4-2"], "opsctl provision ny4-2"),
    ):
        pass
    with holding.held(["ny4-2"], "opsctl provision ny4-2"):
        pass


def test_a_killed_one_holds_nothing_and_what_it_left_is_found(state: Path) -> None:
    with subprocess.Popen(
        [sys.executable, "-c", HOLDER], stdout=subprocess.PIPE, text=True, env={**os.environ}
    ) as process:
        assert process.stdout is not None
        run = process.stdout.readline().strip()
        with pytest.raises(Locked), holding.held(["ny4-1"], "mine"):
            pass
        assert holding.left("ny4-1") is None
        process.send_signal(signal.SIGKILL)
    with holding.held(["ny4-1"], "mine"):
        left = holding.left("ny4-1")
    assert left is not None
    assert (left.run, left.stage) == (run, "apply")
    holding.end("ny4-1")
    assert holding.left("ny4-1") is None
    with evidence.recorded(command="audit host"):
        pass
    outcomes = {line.run: line.outcome for line in evidence.log().read()}
    assert outcomes[run] == "interrupted"
