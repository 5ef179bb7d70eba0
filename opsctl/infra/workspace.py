"""Where the engine works for an environment: its folder, its state, its secrets, its variables.

environments/NAME/infrastructure/
Pulumi.yaml, Pulumi.NAME.yaml   the engine's own settings; never the user's files
state/                          the state, where it is no bucket
passphrase                      protects the secrets in the state, where no KMS key does
engine.json                     the engine that runs, or was killed
lock                            held by whoever changes the stack
"""

from __future__ import annotations

import json
import os
import secrets
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from opsctl.custody import BENEATH
from opsctl.deploy.files import write_whole
from opsctl.errors import OpsctlError, UsageError
from opsctl.model.value import Value
from opsctl.state import environment_folder, state_root

PROJECT = "trading"
"""The project of every stack, as `Pulumi.yaml` of this repository names it."""
BACKENDS = ("s3://",)
KEYS = ("awskms://", "gcpkms://", "azurekeyvault://", "hashivault://")
FOLDER = BENEATH


class Workspace(Value):
    """Where the stack of an environment lives, and what protects its secrets."""

    environment: str
    backend: str = ""
    """`s3://BUCKET/PREFIX`, with the engine's own options behind a `?`; empty: the folder."""
    key: str = ""
    """A key of a KMS, such as `awskms://alias/trading?region=eu-central-1`; empty: a passphrase."""

    @property
    def folder(self) -> Path:
        """Where the engine's files lie."""
        return environment_folder(self.environment) / FOLDER

    @property
    def url(self) -> str:
        """The backend of the state, as the engine names it."""
        # Whole files alone: of the attributes beside them a kill leaves an empty one, which the
        # engine takes for a state that it cannot read.
        return self.backend or f"file://{self.folder / 'state'}?metadata=skip"

    @property
    def passphrase(self) -> Path:
        """The file of the passphrase, where this machine has it in the default place."""
        return self.folder / "passphrase"

    @property
    def settings(self) -> Path:
        """The engine's own settings of the stack; there as soon as the stack is."""
        return self.folder / f"Pulumi.{self.environment}.yaml"

    @property
    def note(self) -> Path:
        """The file that says which engine runs."""
        return self.folder / "engine.json"

    @property
    def secrets_provider(self) -> str:
        """What encrypts secrets, as the engine names it."""
        return self.key or "passphrase"

    def check(self) -> None:
        """Raise `UsageError` where the backend or the key cannot be meant."""
        if self.backend and not self.backend.startswith(BACKENDS):
            raise UsageError(
                f"{self.backend} is no place for a stack's state",
                hint="name a bucket, s3://BUCKET/PREFIX, or leave it out: a folder of this machine",
            )
        if self.key and not self.key.startswith(KEYS):
            raise UsageError(
                f"{self.key} is no key of a KMS",
                hint=f"it begins with {', '.join(KEYS)}; leave it out to use a passphrase",
            )

    def prepare(self) -> None:
        """Make the folder, the project's file, and a passphrase where there is no stack yet.

        Raises:
            UsageError: the backend or the key cannot be meant.
            OpsctlError: the passphrase of an existing stack is gone, or the disk is full.
        """
        self.check()
        project = f"name: {PROJECT}\nruntime: python\n"
        place = self.folder / "Pulumi.yaml"
        if not place.exists() or place.read_text(encoding="utf-8") != project:
            write_whole(place, project)
        if not self.backend:
            (self.folder / "state").mkdir(mode=0o700, parents=True, exist_ok=True)
        if self.key or _given() or self.passphrase.exists():
            return
        if self.settings.exists():
            raise OpsctlError(
                f"the passphrase of the stack {self.environment} is gone: {self.passphrase}",
                hint="put it back from your backup, or name its file in "
                "PULUMI_CONFIG_PASSPHRASE_FILE; without it the secrets in the state are lost",
            )
        write_whole(self.passphrase, secrets.token_urlsafe(32))

    def settle(self, secrets_providers: Mapping[str, Any]) -> None:
        """Write the engine's settings of a stack that another machine has made.

        They say how secrets are encrypted, as its state (`secrets_providers`) says as well.
        """
        said = secrets_providers.get("state") or {}
        names = {"url": "secretsprovider", "encryptedkey": "encryptedkey", "salt": "encryptionsalt"}
        lines = [f"{names[key]}: {json.dumps(said[key])}\n" for key in names if key in said]
        write_whole(self.settings, "".join(lines))

    def variables(self, binary: Path) -> dict[str, str]:
        """Return the variables of the engine at `binary`, laid over those of this process.

        The passphrase itself is none of them: the engine reads its file.
        """
        home = os.environ.get("PULUMI_HOME") or str(state_root() / "pulumi")
        paths = [p for p in sys.path if p]
        found = {
            "PATH": os.pathsep.join((str(binary.parent), os.environ.get("PATH", os.defpath))),
            "PULUMI_BACKEND_URL": self.url,
            "PULUMI_HOME": home,
            "PULUMI_SKIP_UPDATE_CHECK": "true",
            # Code is never downloaded by a deploy: whoever lacks a plugin is told how to get it.
            "PULUMI_DISABLE_AUTOMATIC_PLUGIN_ACQUISITION": "true",
            # What Python plugins run with; they would else take a python3 of PATH.
            "PULUMI_PYTHON_CMD": sys.executable,
            "PYTHONPATH": os.pathsep.join(dict.fromkeys(paths)),
        }
        if not self.key and not _given():
            found["PULUMI_CONFIG_PASSPHRASE_FILE"] = str(self.passphrase)
        return found


def _given() -> bool:
    """Return whether the user gives a passphrase, as Pulumi's own documentation says."""
    return any(
        name in os.environ for name in ("PULUMI_CONFIG_PASSPHRASE", "PULUMI_CONFIG_PASSPHRASE_FILE")
    )
