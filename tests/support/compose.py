"""The parser of `docker compose config`: the Compose Specification's own library, built once."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

VERSION = "v2.16.2"
MODULE = f"github.com/compose-spec/compose-go/v2/cmd@{VERSION}"
FOLDER = Path(__file__).parents[2] / ".cache" / f"compose-go-{VERSION}"


def obtain() -> str:
    """Build it where it is not there; return why that cannot be, empty where it is there."""
    if (FOLDER / "cmd").exists():
        return ""
    if shutil.which("go") is None:
        return "there is no Go to build the parser of Compose files with"
    given = {**os.environ, "GOBIN": str(FOLDER), "GOFLAGS": "-buildvcs=false"}
    done = subprocess.run(
        ["go", "install", MODULE], capture_output=True, text=True, check=False, env=given
    )
    if done.returncode != 0:
        return f"the parser of Compose files cannot be built: {done.stderr.strip()[-300:]}"
    return ""


def config(file: Path) -> tuple[int, str, str]:
    """Return exit code, normalised file and what was said of it, warnings among it."""
    done = subprocess.run([FOLDER / "cmd", file], capture_output=True, text=True, check=False)
    return done.returncode, done.stdout, done.stderr.strip()
