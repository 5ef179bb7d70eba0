"""Runs that a soak has made, one a line: what stands there is not made again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tests.support.servers import folder

OPSCTL = str(Path(sys.executable).with_name("opsctl"))


@dataclass(frozen=True)
class Recorded:
    """A file of finished runs, and where they are committed as evidence."""

    path: Path
    page: Path

    @property
    def evidence(self) -> Path:
        """The committed copy, beside the page."""
        return self.page.with_suffix(".jsonl")

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs that were made already."""
        if not self.path.exists():
            return []
        return [json.loads(line) for line in self.path.read_text().splitlines()]

    def add(self, run: dict[str, Any]) -> None:
        """Keep a run that has ended."""
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a") as out:
            out.write(json.dumps(run) + "\n")

    def publish(self, text: str) -> None:
        """Write the page and the runs beside it."""
        self.page.parent.mkdir(parents=True, exist_ok=True)
        self.page.write_text(text)
        self.evidence.write_text(self.path.read_text())


def opsctl(*words: str) -> None:
    """Run a command; stop where it fails."""
    done = subprocess.run([OPSCTL, *words], capture_output=True, text=True, check=False)
    if done.returncode != 0:
        sys.exit(f"opsctl {' '.join(words)} exited {done.returncode}:\n{done.stderr}")


@contextmanager
def deployed(name: str, *words: str) -> Iterator[None]:
    """Deploy an environment from nothing, with further options, and destroy it afterwards."""
    with folder() as state:
        os.environ["OPSCTL_STATE"] = str(state)
        opsctl("deploy", name, "--no-verify", *words)
        try:
            yield
        finally:
            opsctl("destroy", name, "--yes")
