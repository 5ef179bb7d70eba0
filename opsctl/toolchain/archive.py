"""The archive that carries a toolchain to a machine without internet: its format.

A tar, gzipped where its name says so: `toolchain.json` first, then for every program
`NAME/VERSION/manifest.json` and the files that it lists, each with its SHA-256.
"""

from __future__ import annotations

import platform
import sys
from typing import Literal

from pydantic import AwareDatetime, field_validator

from opsctl.errors import OpsctlError
from opsctl.model.value import Value
from opsctl.toolchain.results import Packed

INDEX = "toolchain.json"


class ArchiveRefused(OpsctlError):
    """An archive is not what it says, or would write where it must not: nothing was imported."""


class Content(Packed):
    """A program in an archive, with the SHA-256 of its manifest."""

    manifest_sha256: str


class Index(Value):
    """What an archive holds, and which machines can run it."""

    format: Literal[1] = 1
    platform: str
    made_at: AwareDatetime
    programs: tuple[Content, ...]

    @field_validator("programs")
    @classmethod
    def _once(cls, contents: tuple[Content, ...]) -> tuple[Content, ...]:
        if len({content.name for content in contents}) != len(contents):
            raise ValueError("a program is listed twice")
        return contents


def this_platform() -> str:
    """Return the platform that an archive made here serves: `linux-x86_64`."""
    return f"{sys.platform}-{platform.machine()}"
