"""Machines with opsctl on them: each has a state folder of its own, and the same checkout."""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

NAME = "few"
FEW = (sys.executable, "-m", "tests.e2e.machines.few")
PROJECT = {
    "Pulumi.yaml": "name: trading\nruntime: python\n",
    f"Pulumi.{NAME}.yaml": "config:\n  trading:format: 1\n  trading:tier: daily\n"
    "  trading:dr: cold\n  trading:target: docker\n",
}


@dataclass(frozen=True)
class Machine:
    """The command line of one machine."""

    state: Path
    project: Path

    @property
    def copy(self) -> Path:
        """The folder in which it has a copy of the environment's state."""
        return self.state / "environments" / NAME

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command, its progress in a pipe."""
        return subprocess.Popen(
            [*FEW, *words],
            cwd=self.project,
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            env={**os.environ, "OPSCTL_STATE": str(self.state)},
        )

    def run(self, *words: str, code: int = 0) -> tuple[str, str]:
        """Run a command to its end; fail where it does not exit with `code`."""
        process = self.start(*words)
        out, err = process.communicate(timeout=120)
        assert process.returncode == code, f"{words} exited {process.returncode}\n{out}\n{err}"
        return out, err

    def json(self, *words: str) -> Any:
        """Run a command and return its JSON result."""
        return json.loads(self.run(*words, "--output", "json")[0])

    def deploy(self, *words: str) -> Any:
        """Deploy, and return the JSON result."""
        return self.json("deploy", NAME, "--no-verify", *words)

    def stopped_at(self, line: str, number: signal.Signals, *words: str) -> subprocess.Popen[str]:
        """Start a command and signal it at a line of its progress."""
        process = self.start(*words)
        assert process.stderr is not None
        for said in process.stderr:
            if re.search(line, said):
                process.send_signal(number)
                return process
        process.wait()
        pytest.fail(f"{words} never said {line}")
