"""A stack of files, driven in this process or by a command that can be killed."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from opsctl.infra.engine import Engine
from opsctl.infra.workspace import Workspace
from tests.integration.infra import driver
from tests.integration.infra.files import GATE, Declared, declared
from tests.integration.infra.forked import ForkedWorkspace, python
from tests.support.aws.firm import Firm
from tests.support.aws.firm import firm as firms
from tests.support.process import Process, wait_for

REPOSITORY = Path(__file__).parents[3]


@dataclass
class Stack:
    """The stack of an environment whose resources are the files of a folder."""

    folder: Path
    environment: str = "daily"
    variables: dict[str, str] = field(default_factory=dict)

    @property
    def workspace(self) -> Workspace:
        """Where it lives; what a test kills is no `engine`, but a `command` with its plugins."""
        return ForkedWorkspace(
            environment=self.environment,
            backend=self.variables.get(driver.BACKEND, ""),
            python=python(self.folder.parent / "python"),
        )

    @property
    def engine(self) -> Engine:
        """A new engine for it."""
        return Engine(self.workspace, lookup=driver.lookup)

    def program(self, *, secret: str = "", **texts: str) -> Declared:
        """Return what declares a file of each name with its text."""
        return declared(self.folder, texts, secret=secret)

    def files(self) -> list[str]:
        """Return the names of the files that exist."""
        return sorted(path.name for path in self.folder.glob("*.json"))

    def command(self, verb: str, *words: str) -> Process:
        """Return a command on it, not yet started."""
        where = [str(self.folder)] if verb == "stack" else [self.environment, str(self.folder)]
        argv = [sys.executable, "-m", "tests.integration.infra.driver", verb, *where, *words]
        env = {**os.environ, **self.variables, "PYTHONPATH": str(REPOSITORY)}
        return Process(argv, self.folder.parent / f"{verb}.log", env=env)

    def opsctl(self, *words: str) -> subprocess.CompletedProcess[str]:
        """Run `opsctl stack` to its end."""
        where = ["stack", str(self.folder)]
        return subprocess.run(
            [sys.executable, "-m", "tests.integration.infra.driver", *where, *words],
            env={**os.environ, **self.variables, "PYTHONPATH": str(REPOSITORY)},
            capture_output=True,
            text=True,
            check=False,
        )

    def hold(self, *names: str) -> None:
        """Keep the making of what is named waiting: `a`, `a.made`, `a.deleting`."""
        (self.folder / GATE).mkdir(exist_ok=True)
        for name in names:
            (self.folder / GATE / f"{name}.hold").touch()

    def begun(self, name: str) -> None:
        """Wait until the making of what is named has come to its gate."""
        wait_for(lambda: (self.folder / GATE / f"{name}.begun").exists(), name, timeout_s=60)

    def let_go(self) -> None:
        """Hold nothing any more."""
        for path in (self.folder / GATE).glob("*"):
            path.unlink()


@pytest.fixture(scope="module", autouse=True)
def _seldom_collected() -> Iterator[None]:
    """Let engines collect their garbage seldom: a quarter of what a start of one takes.

    No user gets this: providers inherit it, and the real one of AWS is large already.
    """
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("GOGC", "400")
        yield


@pytest.fixture
def stack(tmp_path: Path) -> Stack:
    """Return a stack of which nothing exists yet."""
    folder = tmp_path / "files"
    folder.mkdir()
    return Stack(folder)


@pytest.fixture
def firm() -> Iterator[Firm]:
    """Return a firm in whose cloud nothing is yet, and the file of its environment."""
    with firms() as made:
        made.write_cloud()
        yield made
