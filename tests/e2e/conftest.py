"""Deployed environments, made by the `opsctl` command as a user would."""

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

import pytest

from opsctl.images.ssh import CONFIG
from opsctl.targets import find_backend
from tests.support import engine as engines
from tests.support import second_host as hosts
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

    def secrets(self) -> dict[str, str]:
        """Return the secrets of an environment in containers by name, as they lie with it."""
        found = find_backend(self.name).read()
        assert found is not None
        named = ((path.partition("secrets/")[2], text) for path, text in found.files.items())
        return {name: text.strip() for name, text in named if name}


@contextmanager
def deployed(name: str, *options: str) -> Iterator[Deployed]:
    """Deploy an environment as a user does, and destroy it."""
    with folder() as state:
        made = Deployed(name, state)
        try:
            made.run("deploy", name, "--no-verify", *options)
            yield made
        finally:
            made.run("destroy", name, "--yes")


@pytest.fixture(scope="session")
def daily() -> Iterator[Deployed]:
    """The daily tier, deployed once for the session and destroyed at its end."""
    with deployed("daily") as made:
        yield made


@pytest.fixture(scope="session")
def intraday() -> Iterator[Deployed]:
    """The intraday tier: two sites and a witness."""
    with deployed("intraday") as made:
        yield made


def needed(why: str) -> None:
    """Skip for a reason; in CI that is a failure."""
    if why and os.environ.get("CI"):
        pytest.fail(f"CI must have it: {why}")
    if why:
        pytest.skip(why)


@pytest.fixture(scope="session")
def with_images() -> Iterator[engines.Dockerd]:
    """An engine of our own in which the images were built; `DOCKER_HOST` names it."""
    needed(engines.lacking())
    with (
        engines.running("--log-level=warn", "--live-restore") as engine,
        pytest.MonkeyPatch.context() as patch,
    ):
        patch.setenv("DOCKER_HOST", engine.address)
        with folder() as state:
            Deployed("intraday", state).run("images", "build")
        yield engine


@pytest.fixture(scope="session")
def contained(with_images: engines.Dockerd) -> Iterator[Deployed]:
    """The intraday tier in containers of that engine."""
    with deployed("intraday", "--target", "docker") as made:
        yield made


@pytest.fixture(scope="session")
def other_host() -> Iterator[hosts.SecondHost]:
    """A second host, reached by ssh; whoever tests runs the commands of `ssh` by its settings."""
    needed(hosts.lacking())
    with hosts.second_host() as found, pytest.MonkeyPatch.context() as patch:
        patch.setenv(CONFIG, str(found.config))
        yield found


@pytest.fixture(scope="session")
def apart(with_images: engines.Dockerd, other_host: hosts.SecondHost) -> Iterator[Deployed]:
    """Site b on a host of its own, reached by ssh; the other places on one that is here."""
    text = (
        "config:\n  trading:format: 1\n  trading:tier: intraday\n  trading:target: docker\n"
        "  trading:hosts:\n"
        f"    a: {{engine: '{with_images.address}', address: {hosts.NEAR}}}\n"
        f"    witness: '{with_images.address}'\n    b: '{other_host.address}'\n"
    )
    with folder() as project, pytest.MonkeyPatch.context() as patch:
        (project / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        (project / "Pulumi.apart.yaml").write_text(text)
        patch.chdir(project)
        with deployed("apart") as made:
            yield made


ENVIRONMENTS = {
    "daily": "daily",
    "hot": "intraday",
    "docker": "contained",
    "hosts": "apart",
}
"""The environment that the tests of each folder share."""


@pytest.fixture(autouse=True)
def state(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Tests of a folder look at the state of its deployed environment."""
    shared: Deployed = request.getfixturevalue(ENVIRONMENTS[request.path.parent.name])
    monkeypatch.setenv("OPSCTL_STATE", str(shared.state))
    return shared.state
