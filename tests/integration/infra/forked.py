"""The plugin that the files are made by, forked: each command of the engine starts one anew."""

from __future__ import annotations

import io
import runpy
import sys
from pathlib import Path

from opsctl.infra.workspace import Workspace
from tests.support import preloaded

WORDS = ("-u", "-m", "pulumi.dynamic")
"""What Python is started with, by the engine's own script."""


class ForkedWorkspace(Workspace):
    """A workspace whose plugins in Python are forked from what has imported what they need."""

    python: str
    """The program that forks them."""

    def variables(self, binary: Path) -> dict[str, str]:
        """Return the variables of the engine."""
        return {**super().variables(binary), "PULUMI_PYTHON_CMD": self.python}


def python(place: Path) -> str:
    """Return the program that the engine starts for Python, written if need be."""
    if not place.exists():
        preloaded.program(place, __name__, serve.__name__, orphaned_s=0)
    return str(place)


def serve() -> None:
    """Serve as Python does that is started with `WORDS`."""
    started, words = sys.argv[0], sys.argv[1:]
    assert tuple(words[: len(WORDS)]) == WORDS
    sys.argv = [started, *words[len(WORDS) :]]
    raw = open(1, "wb", buffering=0, closefd=False)  # noqa: SIM115 - as `-u` does
    sys.stdout = io.TextIOWrapper(raw, write_through=True)
    runpy.run_module("pulumi.dynamic", run_name="__main__", alter_sys=True)
