"""A disk that is full for one service, and has room again."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import psycopg
import pytest

from opsctl.targets import quota
from opsctl.targets.base import Blow
from tests.integration.targets import stage
from tests.integration.targets.stage import Stage
from tests.support.servers import folder, wait_for

WRITER = """
import sys
for line in sys.stdin:
    try:
        with open(line.strip(), "a") as out:
            out.write("x")
        print("written", flush=True)
    except OSError as fault:
        print(fault.strerror, flush=True)
"""


@pytest.fixture
def kept(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stage]:
    with folder() as home:
        monkeypatch.setenv("OPSCTL_STATE", str(home))
        found = Stage(stage.keepers)
        found.up()
        yield found
        found.down()


def test_what_a_process_writes_fails_until_there_is_room(tmp_path: Path) -> None:
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )
    assert writer.stdin is not None
    assert writer.stdout is not None

    def said() -> str:
        assert writer.stdin is not None
        assert writer.stdout is not None
        writer.stdin.write(f"{tmp_path / 'file'}\n")
        writer.stdin.flush()
        return writer.stdout.readline().strip()

    with writer:
        assert said() == "written"
        assert quota.refusal([writer.pid]) == ""
        quota.bound([writer.pid], full=True)
        assert said() == "File too large"
        quota.bound([writer.pid], full=False)
        assert said() == "written"
        writer.stdin.close()
    quota.bound([writer.pid], full=True)  # who is gone is left out
    assert (tmp_path / "file").read_text() == "xx"


def test_a_database_whose_disk_is_full_takes_nothing_and_loses_nothing(kept: Stage) -> None:
    kept.write_everywhere("before")
    key = "postgres@a"
    assert kept.target.lacks([key], Blow.FILL) == ""
    kept.target.aim([key], Blow.FILL)()
    try:
        with pytest.raises(psycopg.Error):
            kept.write_everywhere("never")
    finally:
        kept.target.aim([key], Blow.FREE)()

    def again() -> bool:
        try:
            return "before" in kept.read_everywhere()[0]
        except psycopg.Error:
            return False

    wait_for(again, "the database after its disk has room again", 30)
    assert "never" not in kept.read_everywhere()[0]
    kept.write_everywhere("after")
    assert kept.read_everywhere()[0] == ["before", "after"]
