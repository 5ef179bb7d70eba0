"""How a container stands, by what the engine says of it: that it fails, and why; pure."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any, Literal

from opsctl.targets.docker.runner import ending

State = Literal["running", "starting", "stopped", "failed"]
STEADY_S = 10.0
"""Who has run for so long is started again at once when it ends, by the engine's own rule."""
TOLD_S = 600.0
"""For so long it is told that a service was started again."""


def state(found: Mapping[str, Any], now: datetime) -> State:
    """Return how a container stands; one that memory fails is no more than tried again."""
    said = found["State"]
    if said["Restarting"] or said["Dead"]:
        return "failed"
    short = bool(said.get("OOMKilled"))
    if said["Running"]:
        return "failed" if short and _since_s(said["StartedAt"], now) < STEADY_S else "running"
    return "failed" if short else "stopped"


def detail(found: Mapping[str, Any], now: datetime) -> str:
    """Return what is to be told of a container; empty where nothing is."""
    said = found["State"]
    if said["Paused"]:
        return "paused"
    how, times = ending(found), int(found.get("RestartCount") or 0)
    again = "" if not times else f"started again {times} time{'s'[: times != 1]}"
    if how:
        return f"{how}; {again}" if again else how
    short = "was killed for lack of memory" if said.get("OOMKilled") else ""
    ago_s = _since_s(said["FinishedAt"], now)
    if not times or (ago_s > TOLD_S and not short):
        return ""
    return f"{short or 'ended'} {ago_s:.0f} s ago; {again}"


def _since_s(stamp: str, now: datetime) -> float:
    at = datetime.fromisoformat(stamp[:19]).replace(tzinfo=UTC)
    return max(0.0, (now - at).total_seconds())
