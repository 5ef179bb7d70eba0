"""Drills of the two sites that several tests look at."""

from __future__ import annotations

from typing import Any

import pytest

from tests.e2e.conftest import Deployed


@pytest.fixture(scope="session")
def series(intraday: Deployed) -> Any:
    """The leader is killed in two runs of one command."""
    words = ("drill", "run", "leader-kill", intraday.name, "--rate", "100", "--repeat", "2")
    return intraday.json(*words)
