"""Somebody who provisions and audits a booted server by the `opsctl` command."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from opsctl.model.tiers import LatencyTier
from opsctl.provision.latency import Measured
from tests.support.guest.machine import Guest

OPSCTL = str(Path(sys.executable).with_name("opsctl"))
PLAYBOOKS = Path(__file__).parents[3] / "playbooks"
TRADING_CPU = 1
"""Of a guest with two CPUs: the first keeps house and serves interrupts."""
SECONDS = 4
_OFF = """\
off:
  # It takes four minutes to install under emulation.
  package.docker.io: {engine}
  file.containers.slice: {engine}
  file.docker.service: {engine}
  file.daemon.json: {engine}
  unit.docker.service: {engine}
  measured.clock.offset_us: the guest reaches no time server
""".format(engine="no engine is installed on the guest")


class Exited(AssertionError):
    """A command exited otherwise than it should; says how, and what it said."""


@dataclass
class Operator:
    """Somebody with a project folder and a state folder, and one server in the inventory."""

    server: Guest
    project: Path
    state: Path
    profile: str = "hft"
    """The one that commands name: that of a tier for a guest, or one that was written."""

    def __post_init__(self) -> None:
        """Lay the project out."""
        (self.project / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        for tier in LatencyTier:
            self.write(tier, tier)

    def write(self, name: str, tier: str, more: str = "") -> None:
        """Write a profile `guest-NAME` on top of a tier's, with more to say."""
        path = self.project / "site" / "profiles" / f"guest-{name}.yaml"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"extends: {tier}\n{_OFF}{more}")

    @property
    def argv(self) -> tuple[str, ...]:
        """What every command is told."""
        return ("--inventory", str(self.server.inventory), "--profile", f"guest-{self.profile}")

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
            raise Exited(f"opsctl {' '.join(words)} exited {done.returncode}, not {code}\n{said}")
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
