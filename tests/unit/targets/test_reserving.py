"""What is chosen on a machine is had by one process at a time, however that ends."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

from opsctl.targets.local.ports import Ports
from opsctl.targets.reserving import reserve

HOLDS = (
    "import sys; from opsctl.targets.reserving import reserve;"
    "held = reserve(sys.argv[1]); print(held is not None, flush=True); sys.stdin.read()"
)


def test_a_name_is_had_by_one_process_and_free_when_it_is_killed(tmp_path: Path) -> None:
    name = f"test-{tmp_path}"[-90:]
    with subprocess.Popen(
        [sys.executable, "-c", HOLDS, name], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as other:
        assert other.stdout is not None
        assert other.stdout.readline() == b"True\n"
        assert reserve(name) is None
        other.kill()
    mine = reserve(name)
    assert mine is not None
    assert reserve(name) is None
    mine.give_up()
    assert reserve(name) is not None


def test_two_that_choose_ports_at_once_get_their_own(tmp_path: Path) -> None:
    first, second = Ports(tmp_path / "1" / "ports.json"), Ports(tmp_path / "2" / "ports.json")
    second._next = first._next  # as two of ten thousand begin at the same port one day
    chosen = [ports.port(f"p{n}") for n in range(20) for ports in (first, second)]
    assert len(set(chosen)) == len(chosen)
