"""A firm's project: its folder, its state, and commands of `opsctl` in it."""

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
from tests.support import preloaded
from tests.support.process import Process

OPSCTL = str(Path(sys.executable).with_name("opsctl"))
PROFILE = "fits-fakes"
"""The firm's own profile."""
KEPT = ("account.", "limit.", "sysctl.net.ipv4.conf.")
"""What a box without a kernel and a systemd of its own can hold of the tier's settings."""


@dataclass
class Project:
    """A folder of environment files, and the state beside it."""

    home: Path
    variables: dict[str, str] = field(default_factory=dict, kw_only=True)
    """Of its commands, besides those of this process."""

    @property
    def environment(self) -> dict[str, str]:
        """The variables of its commands."""
        return {**os.environ, "OPSCTL_STATE": str(self.home / "state"), **self.variables}

    def put(self, name: str, settings: Mapping[str, Any]) -> None:
        """Write the file of an environment, of which these are the settings."""
        self.home.mkdir(exist_ok=True)
        (self.home / "Pulumi.yaml").write_text("name: trading\nruntime: python\n")
        config = {"config": {f"trading:{key}": value for key, value in settings.items()}}
        (self.home / f"Pulumi.{name}.yaml").write_text(yaml.safe_dump(config, sort_keys=False))

    def put_profile(self, tier: LatencyTier, off: Mapping[str, str] | None = None) -> None:
        """Write the profile `PROFILE`: what fake boxes can hold of a tier's, without `off`."""
        away = {one.id: "of a box that boots" for one in SETTINGS if _away(one.id, one.want, tier)}
        profile = {"format": 1, "extends": tier.value, "off": {**away, **(off or {})}}
        place = self.home / "site/profiles"
        place.mkdir(parents=True, exist_ok=True)
        (place / f"{PROFILE}.yaml").write_text(yaml.safe_dump(profile))

    def run(self, *words: str, code: int | None = 0) -> subprocess.CompletedProcess[str]:
        """Run a command; fail where it exits otherwise, unless `code` is None."""
        done = preloaded.run([OPSCTL, *words], cwd=self.home, env=self.environment)
        assert code is None or done.returncode == code, (
            f"{done.stdout[-3000:]}\n{done.stderr[-3000:]}"
        )
        return done

    def json(self, *words: str, code: int | None = 0) -> Any:
        """Run a command; return its result."""
        return json.loads(self.run(*words, "--output", "json", code=code).stdout)

    def start(self, *words: str) -> Process:
        """Start a command that the test will end; what it prints is in `log`."""
        process = Process([OPSCTL, *words], self.home / "log", env=self.environment)
        process.behind("env", "--chdir", str(self.home))
        process.start()
        return process


def _away(identity: str, want: Mapping[LatencyTier, str], tier: LatencyTier) -> bool:
    return tier in want and not identity.startswith(KEPT)
