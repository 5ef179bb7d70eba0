"""Clouds whose hosts are boxes with engines of their own."""

from __future__ import annotations

import pytest

from tests.support import engine


@pytest.fixture(autouse=True)
def state(with_images: engine.Dockerd) -> None:
    """Nothing is deployed here but what a test deploys."""
