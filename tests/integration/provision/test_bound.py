"""A program that is bound to its parent, by real processes."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

import pytest

from opsctl.provision import bound
from tests.support.process import processes, wait_for

PROGRAM = """
import os, signal, sys, time
if not os.fork():
    os.setsid()
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    print("worker", flush=True)
    time.sleep(300)
if sys.argv[2:] == ["deaf"]:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
elif sys.argv[2:] == ["ends"]:
    time.sleep(0.3)
    os._exit(3)
time.sleep(300)
"""
PARENT = """
import os, subprocess, sys
child = subprocess.Popen([sys.executable, sys.argv[1], str(os.getpid()), *sys.argv[2:]])
print(child.pid, flush=True)
os._exit(child.wait())
"""


def begun(*argv: str) -> subprocess.Popen[str]:
    """Begin a parent, whose child is bound to it; it says its child's pid."""
    words = [sys.executable, "-c", PARENT, bound.__file__, *argv]
    return subprocess.Popen(words, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)


def said(process: subprocess.Popen[str]) -> str:
    """Return its next line."""
    assert process.stdout is not None
    return process.stdout.readline().strip()


@pytest.fixture
def mark(tmp_path: Path) -> Iterator[str]:
    """Yield a word of every command line of a test; what bears it at the end is ended."""
    yield str(tmp_path)
    for pid in processes(str(tmp_path)):
        os.kill(pid, signal.SIGKILL)


def program(mark: str, *how: str) -> Sequence[str]:
    """Return a program with a worker in a session of its own, deaf to a request to end."""
    return (sys.executable, "-c", PROGRAM, mark, *how)


def test_its_exit_code_and_its_words_are_passed_on(mark: str) -> None:
    process = begun(sys.executable, "-c", f"print('{mark}'); raise SystemExit(7)")
    out, _ = process.communicate(timeout=20)
    assert (out.splitlines()[-1], process.returncode) == (mark, 7)


def test_a_program_that_is_not_there_is_named(mark: str) -> None:
    process = begun(f"{mark}/none")
    _, err = process.communicate(timeout=20)
    assert (err, process.returncode) == (f"{mark}/none: No such file or directory\n", 127)


@pytest.mark.parametrize("whom", ["parent", "outer"])
def test_killed_above_it_all_of_it_ends(mark: str, whom: str) -> None:
    with begun(*program(mark)) as process:
        outer = int(said(process))
        assert said(process) == "worker"
        os.kill(process.pid if whom == "parent" else outer, signal.SIGKILL)
    wait_for(lambda: not processes(mark), "all of it to end")


def test_asked_to_end_it_is_waited_for_before_all_of_it_is_killed(mark: str) -> None:
    with begun(*program(mark, "deaf")) as process:
        outer = int(said(process))
        assert said(process) == "worker"
        os.kill(outer, signal.SIGTERM)
        wait_for(lambda: not processes(mark), "all of it to end", bound.GRACE_S + 20)
        assert process.wait(20) == bound.ENDED


def test_what_a_program_leaves_at_its_own_end_goes_on(mark: str) -> None:
    with begun(*program(mark, "ends")) as process:
        said(process)
        assert said(process) == "worker"
        assert process.wait(20) == 3
        assert len(processes(mark)) == 1, "a connection that is kept for the next run was cut"
