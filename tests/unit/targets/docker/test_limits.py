"""What an engine lacks for what services ask, told by its own words of itself."""

from __future__ import annotations

import subprocess
import sys

import pytest

from opsctl.model.resources import Asked, Resources
from opsctl.targets.docker.limits import _TRIAL, _told, lacking, processors
from opsctl.targets.docker.spec import _REALTIME, _command, limits

ENGINE = {"NCPU": 4, "MemTotal": 8 * 1024**3, "MemoryLimit": True, "CPUSet": True}


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked(memory_mb=8_193), "memory_mb: 8193 MiB are more than the 8192 MiB of the engine"),
        (Asked(memory_mb=64, reserved_mb=65), "reserved_mb: 65 MiB are more than its memory_mb"),
        (Asked(cpus="2-5"), "cpus: the engine has processors 0-3, and no 4, 5"),
        (Asked(cpus="3-1"), "cpus: 3-1 names no processor"),
    ],
)
def test_more_than_there_is_is_named_with_its_setting(asked: Asked, said: str) -> None:
    assert list(lacking("data", asked, ENGINE)) == [f"trading:services.data.{said}"]


def test_what_there_is_can_be_had() -> None:
    asked = Asked(memory_mb=8_192, reserved_mb=100, cpus="0,2-3", processes=100, shm_mb=10)
    assert not list(lacking("data", asked, ENGINE))


def test_a_kernel_without_a_limit_is_no_place_for_it() -> None:
    without = {**ENGINE, "MemoryLimit": False, "PidsLimit": False}
    asked = Asked(memory_mb=64, processes=100, cpus="0")
    said = list(lacking("desk", asked, without))
    assert [fault.partition(":")[2].partition(":")[0] for fault in said] == [
        "services.desk.memory_mb",
        "services.desk.processes",
    ]


def test_a_list_of_processors_is_read_as_the_kernel_reads_it() -> None:
    assert processors("0,2-4") == {0, 2, 3, 4}
    assert processors("") == frozenset()


def test_what_the_daemon_may_not_raise_is_told_by_its_setting() -> None:
    said = "OCI runtime create failed: error setting rlimit type 14: operation not permitted"
    assert _told(said).startswith(".realtime: the engine may not raise this limit")
    assert _told("no space left") == ": no space left"


def test_limits_are_those_that_were_asked_for() -> None:
    assert limits(Resources(memory_mb=64)) == {}
    every = Resources(memory_mb=64, open_files=4_096, lock_memory=True, realtime=10)
    assert limits(every) == {"nofile": 4_096, "memlock": -1, "rtprio": 10}


def test_an_app_begins_at_its_priority_and_becomes_itself() -> None:
    words = ("/usr/bin/python3.11", "-m", "apps.data")
    assert _command(words, 0) == words
    assert _command((), 10) == ()
    assert _command(words, 10)[-4:] == ("10", *words)


def test_the_priority_is_that_of_the_app() -> None:
    shown = "import os; print(os.sched_getscheduler(0) == os.SCHED_FIFO)"
    argv = [sys.executable, "-c", _REALTIME, "5", sys.executable, "-c", shown]
    done = subprocess.run(argv, capture_output=True, text=True, check=False)
    if "PermissionError" in done.stderr:
        pytest.skip("this account may not have a real-time priority")
    assert done.stdout.strip() == "True"


def test_a_trial_tells_what_cannot_be_had() -> None:
    argv = [sys.executable, "-I", "-S", "-c", _TRIAL, "0", "0", "100000000"]
    done = subprocess.run(argv, capture_output=True, text=True, check=True)
    assert done.stdout.startswith('[["huge_pages", ')
    argv[-1] = "0"
    assert subprocess.run(argv, capture_output=True, text=True, check=True).stdout == "[]\n"
