"""What forbids a drill, whatever the state of its environment."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import pytest

from opsctl.drills import guards
from opsctl.model.environment import Drills
from tests.unit.deploy.fake import environment

WINDOW = Drills(window="sat 10:00-16:00")


@pytest.mark.parametrize("clock", ["2026-11-28T15:00", "2026-11-28T20:59"])
def test_a_drill_may_begin_within_its_window(tmp_path: Path, clock: str) -> None:
    now = datetime.fromisoformat(clock).replace(tzinfo=UTC)
    assert guards.refusal(environment(drills=WINDOW), tmp_path, now) == ""


@pytest.mark.parametrize("clock", ["2026-11-28T14:59", "2026-11-28T21:00"])
def test_outside_its_window_it_is_refused_with_when_that_opens(tmp_path: Path, clock: str) -> None:
    now = datetime.fromisoformat(clock).replace(tzinfo=UTC)
    found = guards.refusal(environment(drills=WINDOW), tmp_path, now)
    assert found.startswith("outside the window of drills (sat 10:00-16:00, America/New_York)")
    assert "2026-11-28 10:00 EST" in found or "2026-12-05 10:00 EST" in found


def test_a_disk_without_room_for_the_record_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(guards, "BEGIN_BYTES", 1 << 62)
    found = guards.refusal(environment(), tmp_path, datetime.now(UTC))
    assert f"the disk of {tmp_path} has" in found
    assert "OPSCTL_STATE" in found


def test_room_is_kept_for_the_report_until_it_is_written(tmp_path: Path) -> None:
    guards.reserve(tmp_path)
    (kept,) = tmp_path.iterdir()
    assert kept.stat().st_blocks * 512 >= guards.RESERVE_BYTES
    guards.release(tmp_path)
    guards.release(tmp_path)
    assert list(tmp_path.iterdir()) == []
