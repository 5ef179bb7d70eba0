"""Makes the writers importable by the name that they have on a server."""

from __future__ import annotations

from pathlib import Path

import pytest
from ansible import module_utils

_ROOT = Path(__file__).parents[3]
module_utils.__path__.append(str(_ROOT / "playbooks" / "module_utils"))


@pytest.fixture
def root(tmp_path: Path) -> Path:
    """A folder laid out like a server."""
    boot_id = tmp_path / "proc/sys/kernel/random/boot_id"
    boot_id.parent.mkdir(parents=True)
    boot_id.write_text("a-boot\n")
    return tmp_path
