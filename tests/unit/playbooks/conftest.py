"""Lets the modules of the playbooks be imported as Ansible's own machinery would do it."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible import module_utils

OURS = str(Path(__file__).parents[3] / "playbooks" / "module_utils")
if OURS not in module_utils.__path__:
    module_utils.__path__.append(OURS)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder laid out like a server."""
    boot_id = tmp_path / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("a-boot\n")
    return tmp_path
