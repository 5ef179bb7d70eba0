"""Runs that a soak has made, one a line: what stands there is not made again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

from tests.support.servers import folder

OPSCTL = str(Path(sys.executable).with_name("opsctl"))


@dataclass(frozen=True)
class Recorded:
    """Finished runs as committed evidence: a page, and a line for each run beside it."""

    page: Path

    @property
    def evidence(self) -> Path:
        """The lines; a soak goes on where they end, on another machine as well."""
        return self.page.with_suffix(".jsonl")

    def runs(self) -> list[dict[str, Any]]:
        """Return the runs that were made already."""
        if not self.evidence.exists():
            return []
        return [json.loads(line) for line in self.evidence.read_text().splitlines()]

    def add(self, run: dict[str, Any]) -> None:
        """Keep a run that has ended, and what code made it."""
        self.page.parent.mkdir(parents=True, exist_ok=True)
        with self.evidence.open("a") as out:
            out.write(json.dumps({"commit": commit(), **run}) + "\n")

    def publish(self, text: str) -> None:
        """Write the page."""
        self.page.parent.mkdir(parents=True, exist_ok=True)
        self.page.write_text(text)


@cache
def commit() -> str:
    """Return the commit that runs here, with `-dirty` where the code is not what it holds."""
    words = ["git", "rev-parse", "--short=10", "HEAD"]
    changed = ["git", "diff", "--quiet", "HEAD", "--", ".", ":!docs"]
    name = subprocess.run(words, capture_output=True, text=True, check=True).stdout.strip()
    return f"{name}-dirty" if subprocess.run(changed, check=False).returncode else name


def made_by(runs: Iterable[Mapping[str, Any]]) -> str:
    """Return by which code runs were made, as a line of a page."""
    counted = Counter(str(run.get("commit", "an unknown commit")) for run in runs)
    return "Code: " + ", ".join(f"`{name}` ({count})" for name, count in counted.items()) + "."


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
