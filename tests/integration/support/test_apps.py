"""An app that was forked is as one that was started: what it is given, what it leaves, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from tests.support.apps import App
from tests.support.process import freeze, wait_for


def waiting() -> None:
    """Say what this process is, and wait to be ended."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))
    print(__name__, sys.argv[1:], os.environ.get("SAID"), os.getpid(), flush=True)
    threading.Event().wait()


@pytest.mark.parametrize("fork", [True, False], ids=["forked", "started"])
def test_it_is_a_process_of_its_own(tmp_path: Path, fork: bool) -> None:
    process = App(__name__, tmp_path / "log", {"PATH": os.environ["PATH"], "SAID": "x"}, fork=fork)
    process.start()
    try:
        wait_for(lambda: "\n" in process.log(), "the first line")
        assert process.log() == f"__main__ [] x {process.pid}\n"
        freeze(process.pid)
        assert process.alive
        with pytest.raises(subprocess.TimeoutExpired):
            process.popen.wait(0.1)  # type: ignore[union-attr]
        process.popen.send_signal(signal.SIGCONT)  # type: ignore[union-attr]
        assert process.stop() == 7
        assert not process.alive
        process.start()
        wait_for(lambda: process.log().count("\n") == 2, "its line, behind that of the first")
    finally:
        process.kill()
    assert process.popen is not None
    assert process.popen.returncode == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        os.kill(process.pid, 0)


def test_an_app_ends_and_says_the_same_either_way(tmp_path: Path) -> None:
    ended = []
    for fork in (True, False):
        process = App("apps.venue", tmp_path / str(fork), {"PATH": os.environ["PATH"]}, fork=fork)
        process.start()
        assert process.popen is not None
        ended.append((process.popen.wait(30), process.log()))
    assert ended[0] == ended[1]
    assert ended[0][0] == 2
    assert "TRADING_HTTP_PORT" in ended[0][1]


if __name__ == "__main__":
    waiting()
