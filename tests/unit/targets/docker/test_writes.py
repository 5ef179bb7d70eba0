"""The kernel's lists of limits, in both of their forms."""

from __future__ import annotations

from pathlib import Path

from opsctl.targets.docker.faults import writes


def test_limits_are_read_in_either_form() -> None:
    assert writes.limits("") == {}
    assert writes.limits("254:0 20\n8:0 7\n") == {"254:0": 20, "8:0": 7}
    assert writes.limits("254:0 rbps=max wbps=max riops=max wiops=20\n") == {"254:0": 20}
    assert writes.limits("254:0 rbps=9 wbps=max riops=max wiops=max\n") == {}


def test_a_folder_in_memory_lies_on_no_disk() -> None:
    assert writes.disk(Path("/proc")) == ""
