"""A program that was forked is as one that was started: what goes in, what comes out, its end."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from pathlib import Path

from tests.support import preloaded
from tests.support.process import processes, wait_for
from tests.support.project import OPSCTL


def test_a_command_has_its_own_folder_variables_output_and_code(tmp_path: Path) -> None:
    words = ["env", "check", "nowhere", "--output", "json"]
    state = tmp_path / "state"
    environment = {**os.environ, "OPSCTL_STATE": str(state)}
    (tmp_path / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
    (tmp_path / "Pulumi.nowhere.yaml").write_text("config: {trading:tier: none}\n")
    started = subprocess.run(
        [OPSCTL, *words],
        cwd=tmp_path,
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        stdin=subprocess.DEVNULL,
    )
    forked = preloaded.run([OPSCTL, *words], cwd=tmp_path, env=environment)
    assert (forked.returncode, forked.stdout) == (started.returncode, started.stdout)
    assert forked.stderr == started.stderr
    assert forked.returncode == 2
    assert "trading:tier" in forked.stdout + forked.stderr
    version = preloaded.run([OPSCTL, "--version"], cwd=tmp_path, env=environment)
    assert (version.returncode, version.stderr) == (0, "")
    assert version.stdout.startswith("opsctl ")


def serving() -> None:
    """Say that it has begun, and wait to be ended."""
    print(os.getpid(), flush=True)
    time.sleep(60)


def failing() -> None:
    """Fail."""
    raise ValueError("of ours")


def test_a_program_that_was_killed_takes_along_what_was_forked_for_it(tmp_path: Path) -> None:
    place = tmp_path / "program"
    preloaded.program(place, __name__, serving.__name__, orphaned_s=0)
    for number in (signal.SIGINT, signal.SIGKILL):
        with subprocess.Popen([place, "one"], stdout=subprocess.PIPE, text=True) as begun:
            assert begun.stdout is not None
            forked = int(begun.stdout.readline())
            assert forked != begun.pid
            begun.send_signal(number)
            wait_for(lambda forked=forked: forked not in processes(), "its end")  # type: ignore[misc]


def test_what_fails_says_so_with_its_trace(tmp_path: Path) -> None:
    place = tmp_path / "program"
    preloaded.program(place, __name__, failing.__name__, orphaned_s=0)
    done = subprocess.run([place], capture_output=True, text=True, check=False)
    assert done.returncode == 1
    assert "ValueError: of ours" in done.stderr
