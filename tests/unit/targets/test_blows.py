"""Services are kept down under a supervisord that takes an ended one for stopped."""

from __future__ import annotations

import subprocess
from collections.abc import Sequence

import pytest

from opsctl.targets.local import blows
from opsctl.targets.local.supervisor import EXITED, RUNNING, STOPPED, STOPPING, Program


class FakeSupervisord:
    """Holds one service as supervisord does: restarted when it ends, unless told to stop it.

    Told in the moment in which the process has ended and was not started again yet, supervisord
    says that it is not running, and starts it all the same: `ended_when_told` so many times.
    """

    def __init__(self, ended_when_told: int) -> None:
        self._races = ended_when_told
        self._process = self._started()
        self.state = RUNNING
        self.starts = 1

    @staticmethod
    def _started() -> subprocess.Popen[bytes]:
        return subprocess.Popen(["sleep", "60"])

    @property
    def alive(self) -> bool:
        return self._process.poll() is None

    def end(self) -> None:
        self._process.kill()
        self._process.wait()

    def programs(self) -> Sequence[Program]:
        if self.state == RUNNING and not self.alive:
            self.state = EXITED
        elif self.state == EXITED:
            self._process, self.state = self._started(), RUNNING
            self.starts += 1
        pid = self._process.pid if self.alive else 0
        return (Program("a@x", "", self.state, pid, 1, 0, 0, ""),)

    def halt(self, program: Program) -> None:
        if self._races:
            self._races -= 1
            self.end()
            return
        self.state = STOPPED

    def run(self, program: Program) -> None:
        self._process, self.state = self._started(), RUNNING


@pytest.mark.parametrize("races", [0, 1, 3])
def test_a_service_is_kept_down_however_often_it_is_started_again_meanwhile(races: int) -> None:
    supervisord = FakeSupervisord(races)
    try:
        blows.keep_down(supervisord, ["a@x"])
        assert supervisord.state == STOPPED
        supervisord._process.wait(5)
        blows.bring_up(supervisord, ["a@x"])
        assert supervisord.state == RUNNING
        assert supervisord.alive
    finally:
        supervisord.end()


def test_what_still_ends_is_waited_for_and_told_of(monkeypatch: pytest.MonkeyPatch) -> None:
    supervisord = FakeSupervisord(0)
    monkeypatch.setattr(blows, "ENDED_WITHIN_S", 0.2)
    try:
        supervisord.state = STOPPING
        with pytest.raises(Exception, match=r"a@x did not end in 0\.2 s"):
            blows.bring_up(supervisord, ["a@x"])
    finally:
        supervisord.end()
