"""A pipeline on a target without processes."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.deploy.pipeline import Pipeline
from tests.unit.deploy.fake import BUS, DATA, FakeHost, FakeTarget, Recorded, means


@pytest.fixture
def target(state: Path) -> FakeTarget:
    return FakeTarget(FakeHost(state / "host"), (BUS, DATA))


@pytest.fixture
def progress() -> Recorded:
    return Recorded()


@pytest.fixture
def pipeline(target: FakeTarget, progress: Recorded) -> Pipeline:
    return Pipeline(means(target), progress)
