"""Which snapshots are missing of a set, which are past, and waiting for them."""

from __future__ import annotations

from datetime import UTC, date, datetime
from typing import Literal

from opsctl.infra.snapshots import Snapshot, Source, awaited, missing, past

VOLUME = Source(kind="volume", resource="trading-a-data", id="vol-1", region="eu-west-1")
BOOKS = Source(kind="database", resource="database", id="books", region="eu-west-1")
TODAY = date(2026, 11, 30)
State = Literal["running", "completed", "failed"]


def snapshot(
    id_: str,
    *,
    name: str = "daily",
    of: Source = VOLUME,
    state: State = "completed",
    day: int = 1,
    expires: date | None = date(2026, 11, 29),
    percent: int = 0,
) -> Snapshot:
    return Snapshot(
        id=id_,
        name=name,
        kind=of.kind,
        resource=of.resource,
        source=of.id,
        region=of.region,
        state=state,
        percent=percent,
        size_gb=100,
        made=datetime(2026, 11, day, tzinfo=UTC),
        expires=expires,
        by="arn:aws:iam::123456789012:user/ops",
    )


def test_a_set_lacks_what_it_has_no_snapshot_of_or_a_failed_one() -> None:
    sources = (VOLUME, BOOKS)
    assert missing(sources, [], "daily") == ((VOLUME, None), (BOOKS, None))
    other = snapshot("snap-1", name="before-upgrade")
    running = snapshot("snap-2", state="running")
    assert missing(sources, [other, running], "daily") == ((BOOKS, None),)
    failed = snapshot("books-daily", of=BOOKS, state="failed")
    assert missing(sources, [running, failed], "daily") == ((BOOKS, failed),)


def test_past_is_what_is_over_and_has_a_later_one() -> None:
    old, older = snapshot("old", day=2), snapshot("older", day=1)
    assert past([old, older], TODAY) == (older,)
    kept = snapshot("kept", day=20, expires=TODAY)
    assert past([kept, old, older], TODAY) == (older, old)
    newer = snapshot("newer", day=25, expires=None)
    assert past([newer, kept, old, older], TODAY) == (older, old)  # its last day is today
    assert past([newer, kept, old, older], date(2026, 12, 1)) == (older, old, kept)


def test_what_is_no_proof_of_a_backup_saves_nothing() -> None:
    old = snapshot("old", day=2)
    later = [
        snapshot("failed", day=5, state="failed"),
        snapshot("running", day=6, state="running", expires=None),
        snapshot("of-another", day=7, of=BOOKS),
    ]
    assert [one.id for one in past([old, *later], TODAY)] == ["failed"]


def test_what_has_no_last_day_or_still_runs_is_never_past() -> None:
    endless = snapshot("endless", day=1, expires=None)
    running = snapshot("running", day=2, state="running")
    assert past([endless, running, snapshot("last", day=3)], TODAY) == ()


def test_waiting_ends_when_none_of_the_set_runs_and_tells_how_far_each_is() -> None:
    another = snapshot("snap-9", name="other", state="running")
    looks = [
        [snapshot("snap-1", state="running", percent=percent), another] for percent in (5, 5, 60)
    ] + [[snapshot("snap-1"), another]]
    said: list[str] = []
    left = iter(looks)
    found = awaited(lambda: next(left), "daily", 600, said.append, lambda _: None)
    assert found == looks[-1]
    assert said == ["trading-a-data: 5% (snap-1)", "trading-a-data: 60% (snap-1)"]


def test_waiting_ends_when_the_time_is_over() -> None:
    running = [snapshot("snap-1", state="running")]
    assert awaited(lambda: running, "daily", 0, lambda _: None) == running
