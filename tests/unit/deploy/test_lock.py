"""The lock of an environment: one at a time, and a dead holder is no obstacle."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from opsctl.deploy.lock import held
from opsctl.errors import Locked, OpsctlError

HOLD = """
import sys, time
from opsctl.deploy.lock import held
with held("daily", "opsctl deploy daily"):
    print("held", flush=True)
    sys.stdin.read()
"""


def _holder() -> subprocess.Popen[str]:
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        env=dict(os.environ),
    )
    assert process.stdout is not None
    assert process.stdout.readline() == "held\n"
    return process


def _end(process: subprocess.Popen[str]) -> None:
    process.kill()
    process.communicate()


def test_the_second_is_told_who_holds_it_since_when_doing_what(state: Path) -> None:
    process = _holder()
    try:
        with pytest.raises(Locked) as refused, held("daily", "opsctl destroy daily"):
            pytest.fail("two held the lock")
    finally:
        _end(process)
    assert "opsctl deploy daily" in refused.value.message
    assert f"pid {process.pid}" in refused.value.message
    assert "since 20" in refused.value.message
    assert refused.value.exit_code == 1


def test_the_lock_of_a_killed_process_is_no_obstacle(state: Path) -> None:
    process = _holder()
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert "opsctl deploy daily" in (state / "environments/daily/lock").read_text()
    with held("daily", "opsctl destroy daily"):
        pass


def test_other_environments_are_free(state: Path) -> None:
    with held("daily", "opsctl deploy daily"), held("weekly", "opsctl deploy weekly"):
        pass


def test_it_is_free_again_after_an_error(state: Path) -> None:
    with pytest.raises(ValueError, match="x"), held("daily", "opsctl deploy daily"):
        raise ValueError("x")
    with held("daily", "opsctl deploy daily"):
        pass


def test_a_holder_that_has_not_written_yet_is_told_too(state: Path) -> None:
    with held("daily", "opsctl deploy daily"):
        (state / "environments/daily/lock").write_text("{")
        with pytest.raises(Locked, match="another opsctl"), held("daily", "x"):
            pytest.fail("two held the lock")


def test_who_waits_for_a_removed_lock_takes_the_new_file(state: Path) -> None:
    """A destroy removes the file while it holds it: the next holder must not lock a ghost."""
    path = state / "environments/daily/lock"
    with held("daily", "opsctl destroy daily") as lock:
        lock.remove()
        with held("daily", "opsctl deploy daily"):
            assert path.exists()
            with pytest.raises(Locked), held("daily", "x"):
                pytest.fail("two held the lock")
    assert path.exists()


def test_many_contenders_never_hold_it_together(state: Path) -> None:
    inside, most, entered = 0, 0, 0
    guard = threading.Lock()

    def contend() -> None:
        nonlocal inside, most, entered
        for _ in range(30):
            try:
                with held("daily", "opsctl deploy daily") as lock:
                    with guard:
                        inside += 1
                        entered += 1
                        most = max(most, inside)
                    with guard:
                        inside -= 1
                    lock.remove()
            except Locked:
                continue

    threads = [threading.Thread(target=contend) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert entered >= 30
    assert most == 1


def test_a_state_folder_that_cannot_be_written_is_said(
    state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (state / "file").write_text("")
    monkeypatch.setenv("OPSCTL_STATE", str(state / "file"))
    with pytest.raises(OpsctlError, match="cannot be written") as fault, held("daily", "x"):
        pytest.fail("held")
    assert "OPSCTL_STATE" in fault.value.hint
