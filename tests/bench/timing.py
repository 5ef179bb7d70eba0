"""Commands of opsctl: how long they take, and what they say."""

from __future__ import annotations

import json
import statistics
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

OPSCTL = str(Path(sys.executable).with_name("opsctl"))


def timed(*argv: str, rounds: int = 1) -> float:
    """Return the median seconds of a command over some rounds; stop where it fails."""
    spent = []
    for _ in range(rounds):
        started = time.perf_counter()
        done = subprocess.run(argv, capture_output=True, text=True, check=False)
        spent.append(time.perf_counter() - started)
        if done.returncode != 0:
            sys.exit(f"{' '.join(argv)} exited {done.returncode}:\n{done.stderr}")
    return statistics.median(spent)


def opsctl_json(*words: str) -> dict[str, Any]:
    """Return the JSON result of an opsctl command."""
    done = subprocess.run(
        [OPSCTL, *words, "--output", "json"], capture_output=True, text=True, check=False
    )
    if not done.stdout:
        sys.exit(f"opsctl {' '.join(words)} exited {done.returncode}:\n{done.stderr}")
    result: dict[str, Any] = json.loads(done.stdout)
    return result
