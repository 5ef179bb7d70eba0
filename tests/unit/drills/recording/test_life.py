from __future__ import annotations

from pathlib import Path

import pytest

from opsctl.drills.recording.life import life, lives
from opsctl.errors import UsageError
from tests.support.drilled import CLIENT, made
from tests.support.drilled_files import rewrite, write


@pytest.fixture
def run(tmp_path: Path) -> Path:
    return write(made(40), tmp_path)


def test_an_undisturbed_order_goes_from_the_decision_to_the_books(run: Path) -> None:
    found = life(run, f"{CLIENT}-3-0")
    assert (found.site, found.epoch, found.outcome) == ("a", 3, "filled")
    times = (found.decided, found.journaled, found.sent, found.accepted, found.acknowledged)
    assert None not in times
    assert list(times) == sorted(times)  # type: ignore[type-var]
    assert found.doubts == ()
    accounts = [event.account for event in found.events]
    assert accounts[0] == "client"
    assert set(accounts) == {
        *("client", "journal", "venue", "drop copy a", "drop copy b", "books a", "books b")
    }


def test_an_order_that_nobody_answered_is_in_doubt_until_the_successor_is_told(run: Path) -> None:
    [doubt] = life(run, f"{CLIENT}-9-0").doubts
    assert doubt.cause == "epoch 4 began while it was unanswered"
    assert doubt.settled is not None
    assert doubt.settled > doubt.opened
    assert "accepted" in doubt.how


def test_an_order_that_the_venue_did_not_know_is_entered_again(run: Path) -> None:
    found = life(run, f"{CLIENT}-9-1")
    said = [event.what for event in found.events]
    again = next(n for n, what in enumerate(said) if "entered again under the same id" in what)
    accepted = next(n for n, what in enumerate(said) if what == "accepted on OPS-B-ORD")
    assert again < accepted
    assert found.doubts[0].settled is not None


def test_a_doubt_that_nobody_settled_stays_open(run: Path) -> None:
    order = f"{CLIENT}-9-1"

    def unanswered(row: dict[str, object]) -> dict[str, object] | None:
        record = row["record"]
        assert isinstance(record, dict)
        return None if record["type"] == "report" and record["order"] == order else row

    rewrite(run / "journal.jsonl", unanswered)
    assert life(run, order).doubts[0].settled is None


def test_orders_whose_ids_begin_alike_are_told_apart(run: Path) -> None:
    found = lives(run, [f"{CLIENT}-1-0", f"{CLIENT}-1-1", f"{CLIENT}-10-0"])
    assert {one.order for one in found.values()} == found.keys()
    executed = [e for e in found[f"{CLIENT}-1-0"].events if e.what.startswith("executed")]
    assert len(executed) == 1


def test_an_order_of_nobody_is_refused(run: Path) -> None:
    with pytest.raises(UsageError, match="names an order nobody-1-0"):
        life(run, "nobody-1-0")
