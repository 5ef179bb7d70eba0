"""Running `opsctl` as a user does: as a process, with a state and an engine of its own."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

MAIN = "from opsctl.cli.main import main; main()"


def opsctl(
    *words: str,
    state: Path,
    engine: str = "",
    cwd: Path | None = None,
    **variables: str,
) -> subprocess.CompletedProcess[str]:
    """Run a command to its end; `cwd` may be another checkout, whose opsctl it then is."""
    environment = {**os.environ, "OPSCTL_STATE": str(state), **variables}
    if engine:
        environment["DOCKER_HOST"] = engine
    done = subprocess.run(
        [sys.executable, "-c", MAIN, *words],
        cwd=cwd,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        check=False,
    )
    out, err = (text.decode(errors="replace") for text in (done.stdout, done.stderr))
    return subprocess.CompletedProcess(done.args, done.returncode, out, err)
