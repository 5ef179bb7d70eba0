"""A disk that runs full while a drill is recorded: what there is room for is kept and sealed."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, cast

import pytest

from apps.core.records import Batch
from opsctl.drills import guards, report
from opsctl.drills.accounts import Accounts, Since
from opsctl.drills.recording import files, reading
from opsctl.drills.recording.files import Window
from opsctl.drills.recording.writing import Recording
from opsctl.drills.scenario import load
from opsctl.drills.timeline import Timeline
from tests.support.drilled import made
from tests.support.drilled_files import facts
from tests.support.small_disk import SmallDisk, small_disk
from tests.unit.deploy.fake import environment

MEGABYTES = 4
WINDOW = Window(
    client="drillc0ffee",
    recovery="takeover",
    single_session=False,
    journal_after=0,
    fault_ns=1,
    lifted_ns=1,
    ended_ns=2,
)


@dataclass
class FakeAccounts:
    """Accounts of a few lines, and a journal that is larger than the disk."""

    folder: Path
    orders: int = 8_000
    target: Any = None

    def __post_init__(self) -> None:
        self.target = self

    def logs(self, services: object, *, follow: bool, since: datetime) -> Iterator[Any]:
        return iter(())

    def book_rows(self, since: Since) -> dict[str, list[dict[str, Any]]]:
        return {"a": [{"table": "journal_position", "when": "before", "index": 0}]}

    def drop_copy_logs(self) -> dict[str, Path]:
        return {}

    def batches(self, after: int) -> Iterator[Batch]:
        for at, (epoch, record) in enumerate(made(self.orders).journal, start=1):
            yield Batch(epoch=epoch, writer="a-1", first=at, records=(record,))

    def venue_record(self) -> Path:
        path = self.folder / "record.jsonl"
        path.write_bytes(b'{"kind":"start","at_ns":1}\n')
        return path


@pytest.fixture
def disk() -> Iterator[SmallDisk]:
    with small_disk(MEGABYTES) as found:
        yield found


def written(folder: Path, elsewhere: Path) -> Recording:
    """Return a recording of which every account was written as far as there is room."""
    recording = Recording(folder, environment(), None)
    recording.begin(load("leader-kill"))
    accounts = cast("Accounts", FakeAccounts(elsewhere))
    recording.accounts(accounts, Since(0, {}), WINDOW, datetime.now(UTC))
    return recording


def test_an_account_without_room_is_left_out_and_named_and_the_rest_is_sealed(
    disk: SmallDisk, tmp_path: Path
) -> None:
    folder = disk.seen / "run"
    folder.mkdir()
    recording = written(folder, tmp_path)
    assert recording.full == ["the journal"]
    assert "No space left" in recording.missing["the journal"]
    assert not (folder / files.JOURNAL).exists()
    assert (folder / files.VENUE).read_bytes() == b'{"kind":"start","at_ns":1}\n'
    found = report.reported(recording, Timeline(lambda _: None), facts(made(40), "failed"))
    assert files.manifest(folder).missing == recording.missing
    assert list(files.changed(folder, files.manifest(folder))) == []
    assert reading.facts(folder).verdict == "failed"
    assert "the journal: " in Path(found.report).read_text()


def test_with_room_nothing_is_missing(tmp_path: Path) -> None:
    recording = written(tmp_path, tmp_path)
    assert (recording.full, recording.missing) == ([], {})
    assert (tmp_path / files.JOURNAL).stat().st_size > MEGABYTES << 20


def test_a_little_room_is_kept_until_the_end(disk: SmallDisk, monkeypatch: Any) -> None:
    monkeypatch.setattr(guards, "RESERVE_BYTES", 3 << 20)
    guards.reserve(disk.seen)
    guards.release(disk.seen, but_bytes=guards.LAST_BYTES)
    disk.fill()
    with pytest.raises(OSError, match="No space left"):
        (disk.seen / "line").write_bytes(bytes(64 << 10))
    guards.release(disk.seen)
    (disk.seen / "line").write_bytes(bytes(64 << 10))
    assert (disk.seen / "line").stat().st_size == 64 << 10
