"""How a container stands: what memory fails is told as that, and so is who begins ever anew."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from opsctl.targets.docker.standing import detail, state

NOW = datetime(2026, 11, 29, 18, 0, 30, tzinfo=UTC)


def seen(restarts: int = 0, **said: object) -> dict[str, Any]:
    """Return what an engine says of a container that has run for an hour, and what differs."""
    usual = {
        "Running": True,
        "Restarting": False,
        "Dead": False,
        "Paused": False,
        "OOMKilled": False,
        "Error": "",
        "ExitCode": 0,
        "StartedAt": "2026-11-29T17:00:30.123456789Z",
        "FinishedAt": "0001-01-01T00:00:00Z",
    }
    return {"State": {**usual, **said}, "RestartCount": restarts}


SHORT = {"OOMKilled": True, "FinishedAt": "2026-11-29T18:00:24.1Z"}


@pytest.mark.parametrize(
    ("found", "stands", "told"),
    [
        (seen(), "running", ""),
        (seen(Paused=True), "running", "paused"),
        (seen(Running=False, ExitCode=3), "stopped", "ended with status 3"),
        (
            seen(Running=False, OOMKilled=True, ExitCode=137),
            "failed",
            "was killed for lack of memory",
        ),
        (
            seen(4, Restarting=True, ExitCode=137, **SHORT),
            "failed",
            "was killed for lack of memory; started again 4 times",
        ),
        (
            seen(1, StartedAt="2026-11-29T18:00:25.0Z", **SHORT),
            "failed",
            "was killed for lack of memory 6 s ago; started again 1 time",
        ),
        (
            seen(1, StartedAt="2026-11-29T18:00:10.0Z", **SHORT),
            "running",
            "was killed for lack of memory 6 s ago; started again 1 time",
        ),
        (
            seen(3, StartedAt="2026-11-29T18:00:25.0Z", FinishedAt="2026-11-29T18:00:24.9Z"),
            "running",
            "ended 6 s ago; started again 3 times",
        ),
        (seen(3, FinishedAt="2026-11-29T17:00:24.9Z"), "running", ""),
        (
            seen(3, Restarting=True, ExitCode=1, FinishedAt="2026-11-29T18:00:24.9Z"),
            "failed",
            "ended with status 1; started again 3 times",
        ),
    ],
)
def test_a_container_stands_as_its_engine_says(
    found: dict[str, Any], stands: str, told: str
) -> None:
    assert state(found, NOW) == stands
    assert detail(found, NOW) == told
