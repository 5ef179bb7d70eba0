from __future__ import annotations

import subprocess
from pathlib import Path

from opsctl.targets import faketime
from opsctl.targets.local import clock

SCRIPT = "#!/bin/sh\nset -eu\nexport A=1\nexec /usr/bin/setpriv --pdeathsig TERM -- program exec\n"
SHIFTED = """\
#!/bin/sh
set -eu
export A=1
# A drill has set this clock.
export LD_PRELOAD=/lib/fake.so
export FAKETIME=-3600
export DONT_FAKE_MONOTONIC=1
export NO_FAKE_STAT=1
# The drill's clock ends here.
exec /usr/bin/setpriv --pdeathsig TERM -- program exec
"""


def test_a_clock_is_set_set_again_and_true_again() -> None:
    fast = clock.shifted(SCRIPT, Path("/lib/fake.so"), 5)
    assert "FAKETIME=+5\n" in fast
    assert clock.shifted(fast, Path("/lib/fake.so"), -3600) == SHIFTED
    assert clock.true(SHIFTED) == SCRIPT == clock.true(SCRIPT)


def test_the_library_is_found_beside_its_program(tmp_path: Path) -> None:
    binary = tmp_path / "usr" / "bin" / "faketime"
    binary.parent.mkdir(parents=True)
    binary.touch()
    assert faketime.library(binary) is None
    there = tmp_path / "usr" / "lib" / "x86_64-linux-gnu" / "faketime" / faketime.LIBRARY
    there.parent.mkdir(parents=True)
    there.touch()
    assert faketime.library(binary) == there


def test_the_script_with_its_clock_is_one_that_a_shell_reads(tmp_path: Path) -> None:
    script = tmp_path / "start.sh"
    script.write_text(clock.shifted("#!/bin/sh\nexec env\n", Path("/no lib.so"), 3.5))
    done = subprocess.run(["/bin/sh", str(script)], capture_output=True, text=True, check=True)
    assert "FAKETIME=+3.5\n" in done.stdout
    assert "LD_PRELOAD=/no lib.so\n" in done.stdout
