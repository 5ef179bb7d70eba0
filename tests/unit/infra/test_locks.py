from __future__ import annotations

import os
import shutil
import socket
import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

from opsctl.infra import locks
from opsctl.infra.aws import lock_lasts
from opsctl.model.ephemeral import Ephemeral
from tests.support.process import wait_for

REFUSAL = """error: the stack is currently locked by 1 lock(s). Either wait for the other
process(es) to end or delete the lock file with `pulumi cancel`.
  s3://state/.pulumi/locks/organization/trading/daily/0c3d.json: created by ops@{host} (pid {pid}) \
at 2026-11-30T00:54:15Z
"""
AT = datetime(2026, 11, 30, 0, 54, 15, tzinfo=UTC)


def dead() -> int:
    """Return the pid of a process that has ended."""
    with subprocess.Popen([sys.executable, "-c", ""]) as process:
        process.wait()
    return process.pid


def held_by(pid: int, host: str = "") -> locks.Holder:
    [found] = locks.holders(REFUSAL.format(pid=pid, host=host or socket.gethostname()))
    return found


def test_the_holder_is_read_from_the_refusal() -> None:
    assert held_by(41, "box") == locks.Holder(user="ops", host="box", pid=41, since=AT)
    assert locks.holders("error: something else") == ()


def test_the_lock_of_a_dead_engine_of_this_machine_is_stale() -> None:
    assert locks.stale(held_by(dead()), shared=False, unsettled=None)
    assert not locks.stale(held_by(dead(), "elsewhere"), shared=False, unsettled=None)


def test_another_program_under_the_pid_is_no_engine() -> None:
    assert locks.stale(held_by(os.getpid()), shared=False, unsettled=None)


def test_in_a_shared_state_only_a_lock_of_our_killed_run_is_stale() -> None:
    holder = held_by(dead())
    assert not locks.stale(holder, shared=True, unsettled=None)
    assert not locks.stale(holder, shared=True, unsettled=AT + timedelta(seconds=1))
    assert locks.stale(holder, shared=True, unsettled=AT + timedelta(microseconds=7))


def test_the_refusal_names_who_holds_it() -> None:
    error = locks.refused("daily", REFUSAL.format(pid=41, host="box"))
    assert "ops on box (pid 41) since 2026-11-30T00:54:15Z" in error.message
    assert "--break-lock" in error.hint


def test_the_lock_of_a_living_engine_is_none_of_a_dead_one(tmp_path: Path) -> None:
    engine = tmp_path / "pulumi"
    shutil.copy(shutil.which("sleep") or "/bin/sleep", engine)
    with subprocess.Popen([str(engine), "60"]) as process:
        name = Path(f"/proc/{process.pid}/comm")
        wait_for(lambda: name.read_text() == "pulumi\n", "the engine")
        assert not locks.stale(held_by(process.pid), shared=False, unsettled=None)
        process.kill()
        state = Path(f"/proc/{process.pid}/stat")
        wait_for(lambda: state.read_text().split()[2] == "Z", "its death")
        assert locks.stale(held_by(process.pid), shared=False, unsettled=None)


def test_a_lock_is_outlived_only_where_somebody_says_for_how_long_one_is_held() -> None:
    hour, held = timedelta(hours=1), held_by(41, "box")
    assert locks.outlived(held, lasts=hour, now=AT + hour + timedelta(seconds=1))
    assert not locks.outlived(held, lasts=hour, now=AT + hour)
    assert not locks.outlived(held, lasts=None, now=AT + timedelta(days=365))


def test_in_a_cloud_only_what_is_past_its_time_has_locks_that_are_outlived() -> None:
    job = Ephemeral(owner="run 7", expires="2026-11-30T00:54:15Z")
    assert lock_lasts(job, AT) == timedelta(hours=1)
    assert lock_lasts(job, AT - timedelta(seconds=1)) is None
    assert lock_lasts(Ephemeral(owner="", expires=""), AT) is None
