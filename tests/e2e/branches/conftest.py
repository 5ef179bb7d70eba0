"""Jobs of CI on this machine: each an `opsctl env up` of its own, with real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opsctl.targets.local.processes import command_of, environment_of, pids
from tests.support.process import folder

OPSCTL = str(Path(sys.executable).with_name("opsctl"))


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a test a state folder of its own, and end whatever it has left running there."""
    with folder() as home:
        monkeypatch.setenv("OPSCTL_STATE", str(home))
        monkeypatch.delenv("GITHUB_STEP_SUMMARY", raising=False)
        # Tests reap by a clock that is ahead: what else runs here is not to be judged by it.
        monkeypatch.setattr("opsctl.ephemeral.finding.orphans_here", tuple)
        yield home
        for pid in left(home):
            os.kill(pid, signal.SIGKILL)


@dataclass
class Job:
    """An `opsctl env up` that runs."""

    name: str
    state: Path
    process: subprocess.Popen[str]
    said: list[str] = field(default_factory=list)

    def until(self, word: str) -> None:
        """Read what it says until a line has this word; fail where it ends before."""
        assert self.process.stderr is not None
        for line in self.process.stderr:
            self.said.append(line)
            if word in line:
                return
        pytest.fail(f"{self.name} ended without {word!r}:\n{''.join(self.said)}")

    def signal(self, number: signal.Signals) -> None:
        """Send it, and nothing else, a signal."""
        os.kill(self.process.pid, number)

    def end(self) -> tuple[int, str]:
        """Wait for its end; return its code and what it printed."""
        out, err = self.process.communicate()
        self.said.append(err)
        return self.process.returncode, out


@pytest.fixture
def start(state: Path) -> Iterator[object]:
    """Start jobs; what still runs at the end is ended."""
    jobs: list[Job] = []

    def started(name: str, *words: str, state: Path = state) -> Job:
        process = subprocess.Popen(
            [OPSCTL, "env", "up", "--from", "daily", "--name", name, *words],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPSCTL_STATE": str(state)},
        )
        jobs.append(Job(name, state, process))
        return jobs[-1]

    yield started
    for job in jobs:
        if job.process.poll() is None:
            job.process.kill()
        job.process.communicate()


def left(state: Path) -> list[int]:
    """Return the processes that services of a state folder have left."""
    home = str(state / "environments")
    return [
        pid
        for pid in pids()
        if home in command_of(pid) or environment_of(pid).get("HOME", "").startswith(home)
    ]
