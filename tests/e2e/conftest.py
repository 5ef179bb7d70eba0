"""A deployed environment, made by the `opsctl` command as a user would."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.support.servers import folder

OPSCTL = str(Path(sys.executable).with_name("opsctl"))


@dataclass(frozen=True)
class Deployed:
    """An environment that runs, and its state folder."""

    name: str
    state: Path

    def run(self, *words: str, check: bool = True) -> subprocess.CompletedProcess[str]:
        """Run `opsctl` on this state; fail with what it printed where `check` says so."""
        done = subprocess.run(
            [OPSCTL, *words],
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
            env={**os.environ, "OPSCTL_STATE": str(self.state)},
        )
        if check and done.returncode != 0:
            pytest.fail(
                f"opsctl {' '.join(words)} exited {done.returncode}\n{done.stdout}\n{done.stderr}"
            )
        return done

    def json(self, *words: str, check: bool = True) -> Any:
        """Run `opsctl` and return its JSON result."""
        return json.loads(self.run(*words, "--output", "json", check=check).stdout)


@pytest.fixture(scope="session")
def daily() -> Iterator[Deployed]:
    """The daily tier, deployed once for the session and destroyed at its end."""
    with folder() as state:
        deployed = Deployed("daily", state)
        try:
            deployed.run("deploy", "--tier", "daily", "--no-verify")
            yield deployed
        finally:
            deployed.run("destroy", "daily", "--yes")


@pytest.fixture(autouse=True)
def state(daily: Deployed, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests of this folder look at the state of the deployed environment."""
    monkeypatch.setenv("OPSCTL_STATE", str(daily.state))
    return daily.state


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Keep the tests that share a deployment on one worker."""
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.xdist_group("daily"))
