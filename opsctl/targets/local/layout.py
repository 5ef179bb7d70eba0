"""Where everything of an environment lies: one folder, and a short one for sockets.

    identity  ports.json           who it is, its ports
    secrets/                       one file a secret, mode 600
    etc/KEY/  data/KEY/  run/KEY/  a service's configuration, data, sockets
    logs/KEY.log                   what it printed, rotated
    services/KEY.{json,conf,sh}    what runs: the service, supervisord's definition, its start
    supervisord.{conf,log,pid}

KEY is `name@site`. `run/` moves to a private folder outside where its path would be too
long for a unix socket.
"""

from __future__ import annotations

import hashlib
import os
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from opsctl.state import environment_folder

LONGEST_RUN = 60
"""A socket's path ends at 107 characters; a key and PostgreSQL's own name take up to 47."""


@dataclass(frozen=True)
class Layout:
    """The paths of one environment; makes nothing."""

    root: Path

    @classmethod
    def of(cls, environment: str) -> Layout:
        """Return the layout of an environment in the state folder."""
        return cls(environment_folder(environment))

    @property
    def identity(self) -> Path:
        """The environment's UUID."""
        return self.root / "identity"

    @property
    def ports(self) -> Path:
        """The ports, chosen once."""
        return self.root / "ports.json"

    @property
    def secrets(self) -> Path:
        """The folder of the secrets."""
        return self.root / "secrets"

    @property
    def services(self) -> Path:
        """The folder that says what runs."""
        return self.root / "services"

    @property
    def logs(self) -> Path:
        """The folder of the logs."""
        return self.root / "logs"

    @property
    def run(self) -> Path:
        """The folder of sockets."""
        inside = self.root / "run"
        if len(str(inside)) <= LONGEST_RUN:
            return inside
        short = hashlib.sha256(str(self.root).encode()).hexdigest()[:10]
        return _runtime() / f"opsctl-{short}"

    @property
    def socket(self) -> Path:
        """Supervisord's socket."""
        return self.run / "supervisord.sock"

    @property
    def supervisord(self) -> Path:
        """Supervisord's configuration; its log and its pid file lie beside it."""
        return self.root / "supervisord.conf"

    def folder(self, key: str, use: Literal["config", "data", "run"]) -> Path:
        """Return the folder of a service for one use."""
        if use == "run":
            return self.run / key
        return self.root / ("etc" if use == "config" else "data") / key

    def log(self, key: str) -> Path:
        """Return the log of a service."""
        return self.logs / f"{key}.log"

    def definition(self, key: str) -> Path:
        """Return supervisord's definition of a service."""
        return self.services / f"{key}.conf"

    def start(self, key: str) -> Path:
        """Return the script that starts a service."""
        return self.services / f"{key}.sh"

    def service(self, key: str) -> Path:
        """Return the service as it was last applied."""
        return self.services / f"{key}.json"


def _runtime() -> Path:
    """Return the folder for short-lived files of this user."""
    if os.geteuid() == 0:
        return Path("/run")
    named = os.environ.get("XDG_RUNTIME_DIR", "")
    return Path(named if named and Path(named).is_dir() else tempfile.gettempdir())
