from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

from opsctl.infra import session
from tests.support.process import wait_for

DEAF = """
import signal, sys, time
signal.signal(signal.SIGTERM, signal.SIG_IGN)
print("ready", flush=True)
time.sleep(60)
"""
LEAVES_A_CHILD = """
import subprocess, sys
subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"], start_new_session=True)
"""


def test_a_run_is_noted_until_it_ended(tmp_path: Path) -> None:
    place = tmp_path / "engine.json"
    assert session.left(place) is None
    note = session.begin(place, "update")
    assert session.left(place) == note
    assert note.opsctl == os.getpid()
    session.ended(place)
    assert session.left(place) is None


def test_runs_that_are_killed_one_after_the_other_are_unsettled_since_the_first(
    tmp_path: Path,
) -> None:
    first = session.begin(tmp_path / "engine.json", "update")
    second = session.begin(tmp_path / "engine.json", "repair", first)
    assert second.run != first.run
    assert second.unsettled == first.since < second.since


def test_what_must_be_read_anew_is_not_forgotten_by_the_next_run(tmp_path: Path) -> None:
    place = tmp_path / "engine.json"
    first = session.begin(place, "update")
    session.write(place, first.model_copy(update={"unread": True}))
    assert session.begin(place, "update", session.left(place)).unread
    assert not session.begin(place, "update").unread


def test_processes_of_a_run_are_found_by_its_mark_in_whatever_session(tmp_path: Path) -> None:
    note = session.begin(tmp_path / "engine.json", "update")
    env = {**os.environ, session.MARK: note.run}
    subprocess.run([sys.executable, "-c", LEAVES_A_CHILD], env=env, check=True)
    [orphan] = session.members(note.run)
    assert session.members("another") == {}
    session.end(note.run)
    assert not Path(f"/proc/{orphan}").exists() or orphan not in session.members(note.run)


def test_a_plugin_that_is_deaf_is_killed(tmp_path: Path) -> None:
    note = session.begin(tmp_path / "engine.json", "update")
    with subprocess.Popen(
        [sys.executable, "-c", DEAF],
        env={**os.environ, session.MARK: note.run},
        stdout=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n"
        session.end(note.run)
        assert process.wait() == -signal.SIGKILL


def test_an_engine_writes_on_when_opsctl_has_gone(tmp_path: Path) -> None:
    out = os.memfd_create("out")
    process = session.launch(
        [sys.executable, "-c", "import os; print(os.getsid(0) == os.getpid())"],
        cwd=tmp_path,
        env=os.environ,
        out=out,
        err=out,
    )
    wait_for(lambda: process.poll() is not None, "the process")
    assert os.pread(out, 100, 0) == b"True\n"
    os.close(out)
