"""A booted Debian server, and an operator who provisions and audits it by the `opsctl` command."""

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

from opsctl.provision.latency import Measured
from tests.e2e.conftest import OPSCTL, needed
from tests.support.guest import Guest, guest, lacking
from tests.support.servers import folder

PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
TRADING_CPU = 1
"""Of a guest with two CPUs: the first keeps house and serves interrupts."""
SECONDS = 4
PROFILE = """\
extends: hft
off:
  # It takes four minutes to install under emulation.
  package.docker.io: {engine}
  file.containers.slice: {engine}
  file.docker.service: {engine}
  file.daemon.json: {engine}
  unit.docker.service: {engine}
  measured.clock.offset_us: the guest reaches no time server
""".format(engine="no engine is installed on the guest")


@dataclass
class Operator:
    """Somebody with a project folder and a state folder, and one server in the inventory."""

    server: Guest
    project: Path
    state: Path

    def __post_init__(self) -> None:
        """Lay the project out."""
        profiles = self.project / "site" / "profiles"
        profiles.mkdir(parents=True)
        (profiles / "guest.yaml").write_text(PROFILE)
        (self.project / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        self.argv = ("--inventory", str(self.server.inventory), "--profile", "guest")

    @property
    def environment(self) -> dict[str, str]:
        return {**os.environ, "OPSCTL_STATE": str(self.state), "COLUMNS": "160"}

    def start(self, *words: str) -> subprocess.Popen[str]:
        """Start a command that is not waited for."""
        return subprocess.Popen(
            [OPSCTL, *words, *self.argv],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            cwd=self.project,
            env=self.environment,
        )

    def run(self, *words: str, code: int = 0) -> Any:
        """Run a command; return its JSON result; fail where it exits otherwise."""
        done = subprocess.run(
            [OPSCTL, *words, *self.argv, "--output", "json"],
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
            cwd=self.project,
            env=self.environment,
        )
        if done.returncode != code:
            said = f"{done.stdout[-6000:]}\n{done.stderr[-3000:]}"
            pytest.fail(f"opsctl {' '.join(words)} exited {done.returncode}, not {code}\n{said}")
        (host,) = json.loads(done.stdout)["hosts"]
        return host

    def audit(self, code: int = 0) -> Any:
        """Audit the server."""
        return self.run("audit", "host", code=code)

    def provision(self, *words: str, code: int = 0) -> Any:
        """Provision the server."""
        return self.run("provision", "--yes", *words, code=code)

    def measure(self) -> Measured:
        """Count what disturbs the trading CPU, while three processes want every CPU they may."""
        hogs = [f"hog{number}" for number in range(3)]
        spin = '"while true; do true; done"'
        for unit in hogs:
            self.server.ssh(f"sudo systemd-run --quiet --collect --unit={unit} sh -c {spin}")
        arguments = json.dumps({"cpus": str(TRADING_CPU), "seconds": SECONDS})
        told = subprocess.run(
            [
                *(str(Path(sys.executable).with_name("ansible")), "guest", "--become"),
                *("--inventory", str(self.server.inventory)),
                *("--module-name", "measure_box", "--args", arguments),
            ],
            capture_output=True,
            text=True,
            check=True,
            env={
                **self.environment,
                "ANSIBLE_LIBRARY": str(PLAYBOOKS / "library"),
                "ANSIBLE_MODULE_UTILS": str(PLAYBOOKS / "module_utils"),
                "ANSIBLE_PIPELINING": "1",
                "ANSIBLE_NOCOLOR": "1",
            },
        ).stdout
        self.server.ssh(f"sudo systemctl stop {' '.join(hogs)}")
        known = json.loads(told[told.index("{") :])
        return Measured.model_validate({key: known.get(key) for key in Measured.model_fields})


@pytest.fixture(autouse=True)
def state() -> None:
    """Nothing is deployed here."""


@pytest.fixture(scope="module")
def server() -> Iterator[Guest]:
    """A fresh server: the stock kernel, two CPUs in two NUMA nodes, two NICs that trade."""
    needed(lacking())
    with guest(cpus=2, nodes=2) as made:
        yield made


@pytest.fixture(scope="module")
def operator(server: Guest) -> Iterator[Operator]:
    """Somebody who knows its key already."""
    with folder() as project, folder() as state:
        yield Operator(server, project, state)
