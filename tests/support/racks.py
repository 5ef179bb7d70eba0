"""A firm with a rack: a project whose servers are boxes of a fleet."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from opsctl.model.profile.catalogue import SETTINGS
from opsctl.model.tiers import LatencyTier
from tests.support.fleet import USER, Fleet
from tests.support.process import Process

OPSCTL = str(Path(sys.executable).with_name("opsctl"))
PROFILE = "rack"
KEPT = ("account.", "limit.", "sysctl.net.ipv4.conf.")
"""What a box without a kernel and a systemd of its own can hold of the tier's settings."""


@dataclass
class Rack:
    """The project's folder, its state, and the boxes."""

    home: Path
    fleet: Fleet
    more: dict[str, object] = field(default_factory=dict)
    """Further settings of `trading:onprem`."""

    def write(self, name: str = "rack", *, off: Mapping[str, str] | None = None) -> None:
        """Write the environment's file and the firm's profile."""
        self.home.mkdir(exist_ok=True)
        (self.home / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        profiles = self.home / "site/profiles"
        profiles.mkdir(parents=True, exist_ok=True)
        away = {one.id: "of a box that boots" for one in SETTINGS if _away(one.id, one.want)}
        profile = {"format": 1, "extends": "weekly", "off": {**away, **(off or {})}}
        (profiles / f"{PROFILE}.yaml").write_text(yaml.safe_dump(profile))
        servers = {
            box.name: {
                "rack": "r1",
                "address": box.address,
                "host_key": box.host_key,
                "role": "trading" if number == 0 else "spare",
            }
            for number, box in enumerate(self.fleet.boxes)
        }
        onprem = {
            "owner": "platform",
            "user": USER,
            "key": str(self.fleet.home / "user"),
            "racks": {"r1": {"site": "a", "place": "room 1"}},
            "servers": {each: {**one, "profile": PROFILE} for each, one in servers.items()},
            **self.more,
        }
        config = {
            "trading:format": 1,
            "trading:tier": "weekly",
            "trading:dr": "cold",
            "trading:target": "docker",
            "trading:infrastructure": "onprem",
            "trading:onprem": onprem,
        }
        path = self.home / f"Pulumi.{name}.yaml"
        path.write_text(yaml.safe_dump({"config": config}, sort_keys=False))

    @property
    def environment(self) -> dict[str, str]:
        """The variables of a command."""
        return {**os.environ, "OPSCTL_STATE": str(self.home / "state")}

    def run(self, *words: str, code: int = 0) -> subprocess.CompletedProcess[str]:
        """Run a command of opsctl's; fail where it exits otherwise."""
        done = subprocess.run(
            [OPSCTL, *words],
            cwd=self.home,
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            stdin=subprocess.DEVNULL,
        )
        assert done.returncode == code, f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        return done

    def json(self, *words: str, code: int = 0) -> Any:
        """Run a command; return its result."""
        return json.loads(self.run(*words, "--output", "json", code=code).stdout)

    def start(self, *words: str) -> Process:
        """Start a command that the test will end."""
        process = Process([OPSCTL, *words], self.home / "log", env=self.environment)
        process.behind("env", "--chdir", str(self.home))
        process.start()
        return process


def _away(identity: str, want: Mapping[LatencyTier, str]) -> bool:
    return LatencyTier.WEEKLY in want and not identity.startswith(KEPT)
