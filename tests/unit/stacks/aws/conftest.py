"""What the designs declare: asked for once."""

from __future__ import annotations

import pytest

from tests.support.declared import Stack, declared
from tests.support.designs import DESIGNS


@pytest.fixture(scope="session")
def stacks() -> dict[str, Stack]:
    """The stack of each design."""
    return dict(zip(DESIGNS, declared(*DESIGNS.values()), strict=True))
