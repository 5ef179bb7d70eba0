"""What a client has written is read as it grows; one that cannot write says so, and ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import msgspec

from opsctl.drills.client import UNWRITABLE
from opsctl.drills.shape import Load
from opsctl.drills.task import Acknowledged, Task
from opsctl.drills.traffic import Traffic

TASK = Task("drill", (), Load())
FULL = """
import sys
from opsctl.drills.client import Client
from opsctl.drills.task import Acknowledged, read
Client(read(sys.stdin.buffer.readline()), open("/dev/full", "wb"))._write(
    Acknowledged("one", 7, "new")
)
"""


def line(order: str) -> bytes:
    return msgspec.json.encode(Acknowledged(order, 7, "new")) + b"\n"


def test_only_what_is_new_is_read_and_a_torn_line_waits_for_its_end(tmp_path: Path) -> None:
    client = Traffic(TASK, tmp_path)
    assert client.acknowledged() == 0
    with (tmp_path / "client.jsonl").open("ab") as out:
        out.write(line("one") + line("two")[:20])
        out.flush()
        assert client.orders() == {"one"}
        out.write(line("two")[20:] + b"no line\n" + line("three"))
        out.flush()
        assert [acknowledged.order for acknowledged in client.lines()] == ["one", "two", "three"]
        # What was read already is not read again.
        out.truncate(0)
        out.flush()
        assert client.acknowledged() == 3


def test_a_client_that_cannot_record_ends_and_says_why() -> None:
    done = subprocess.run(
        [sys.executable, "-c", FULL], input=TASK.written(), capture_output=True, check=False
    )
    assert done.returncode == UNWRITABLE
    assert b"the client cannot record: [Errno 28]" in done.stderr


def test_a_client_that_ended_before_its_time_is_a_fault(tmp_path: Path) -> None:
    client = Traffic(TASK, tmp_path)
    assert client.fault() == ""
    client._process = subprocess.Popen([sys.executable, "-c", f"raise SystemExit({UNWRITABLE})"])
    client._process.wait()
    assert client.fault().startswith(f"the client of the drill ended early (exit {UNWRITABLE})")
    assert str(tmp_path) in client.fault()
