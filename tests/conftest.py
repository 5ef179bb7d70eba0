"""What every test gets: a state folder of its own, and the suite's minutes by folder."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from opsctl.state import images_folder, toolchain_folder
from tests.support.servers import folder

settings.register_profile("suite", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("suite")  # how long an example takes is no matter of a test's: machines vary

TOOLCHAIN = toolchain_folder()
"""The programs of this user, obtained by `tests.support.prepare`; tests share them."""
IMAGES = images_folder()
"""The layers of images of this user, found by what they are made from; tests share them."""


@pytest.fixture(autouse=True, scope="session")
def _shared() -> Iterator[None]:
    """Let every test find the programs and the layers, wherever its state lies."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("OPSCTL_TOOLCHAIN", str(TOOLCHAIN))
        patch.setenv("OPSCTL_IMAGES", str(IMAGES))
        yield


@pytest.fixture(autouse=True)
def state(monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Give a test a state folder of its own; never the user's."""
    with folder() as home:
        monkeypatch.setenv("OPSCTL_STATE", str(home))
        yield home


@pytest.fixture(autouse=True)
def _own_credentials(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let boto3 look for credentials anew: what a process found first, it keeps for ever."""
    if (boto3 := sys.modules.get("boto3")) is not None:
        monkeypatch.setattr(boto3, "DEFAULT_SESSION", None)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Print how long each folder took, in minutes of one worker."""
    seconds: defaultdict[str, float] = defaultdict(float)
    counts: defaultdict[str, int] = defaultdict(int)
    for reports in terminalreporter.stats.values():
        for report in reports:
            if isinstance(report, pytest.TestReport):
                name = "/".join(Path(report.nodeid.split("::")[0]).parts[:3])
                name = name if not name.endswith(".py") else str(Path(name).parent)
                seconds[name] += report.duration
                counts[name] += report.when == "call"
    terminalreporter.section("minutes by folder")
    for name, spent in sorted(seconds.items(), key=lambda item: -item[1]):
        terminalreporter.write_line(f"{spent / 60:6.2f} min {counts[name]:5d} tests  {name}")
