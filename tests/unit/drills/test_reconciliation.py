from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from apps.core.messages import Decision, Intent, Side
from apps.core.records import DecisionTaken, JournalRecord, Outcome, ReportKind, ReportSeen, Verdict
from opsctl.drills import drop_copy, record
from opsctl.drills.reconciliation import (
    Books,
    Held,
    Journaled,
    Reconciled,
    gone,
    journaled,
    lasting,
    reconcile,
)
from opsctl.drills.record import Executed, Key

KEY: Key = ("2010-01-05", "E1", "buy")
ONE = Executed("d-1-0", "AAPL", "buy", 5, Decimal("10.5"))


def line(kind: str, **fields: Any) -> bytes:
    made = {"kind": kind, "at_ns": 7, "session": "OPS-A-ORD", "cl_ord_id": "d-1-0"}
    return json.dumps(made | fields).encode()


ACCEPT = line("accept")
EXECUTION = line(
    "execution",
    day="2010-01-05",
    exec_id="E1",
    side="buy",
    symbol="AAPL",
    qty=5,
    price="10.5",
    leaves_qty=0,
)


def decided(accepted: bool = True) -> DecisionTaken:
    intent = Intent(id="d-1-0", symbol="AAPL", side=Side.BUY, qty=5, limit=Decimal("10.5"))
    return DecisionTaken(
        decision=Decision(strategy="d", seq=1, day="", expires_seq=9, intents=(intent,)),
        digest="",
        source="1-0",
        outcome=Outcome.ACCEPTED,
        verdicts=(Verdict(intent="d-1-0", accepted=accepted, reason=""),),
        received_ns=0,
    )


def reported(session: str = "OPS-A-ORD", **changes: Any) -> ReportSeen:
    made: dict[str, Any] = {
        "kind": ReportKind.EXECUTION,
        "venue": "VENUE",
        "received_ns": 0,
        "order": "d-1-0",
        "exec_id": "E1",
        "exec_type": "F",
        "day": "2010-01-05",
        "symbol": "AAPL",
        "side": Side.BUY,
        "last_qty": 5,
        "last_px": Decimal("10.5"),
    }
    return ReportSeen(session=session, seq=1, **(made | changes))


def copied(**changes: str) -> bytes:
    """Return an execution as a drop copy's log has it."""
    fields = {"8": "FIX.4.4", "11": "d-1-0", "17": "E1", "31": "10.5", "32": "5", "54": "1"}
    fields |= {"55": "AAPL", "75": "20100105", "150": "F"} | {
        f"{k[1:]}": v for k, v in changes.items()
    }
    return "\x01".join(f"{tag}={value}" for tag, value in (fields | {"10": "007"}).items()).encode()


def compared(
    *,
    acknowledged: set[str] | None = None,
    records: list[JournalRecord] | None = None,
    lines: list[bytes] | None = None,
    told: list[bytes] | None = None,
    **of_books: Any,
) -> Reconciled:
    books = {"site": "a", "states": {"d-1-0": "filled"}, "fills": {KEY: ONE}, "held": {"AAPL": 5}}
    return reconcile(
        acknowledged=acknowledged if acknowledged is not None else {"d-1-0"},
        journal=journaled(records if records is not None else [decided(), reported()]),
        books=[Books(**(books | of_books))],
        drop_copies=[drop_copy.parse("b", told if told is not None else [copied()])],
        venue=record.read(lines if lines is not None else [ACCEPT, EXECUTION]),
    )


def test_what_agrees_is_clean() -> None:
    found = compared()
    assert found == Reconciled(orders_acknowledged=1)
    assert found.clean


@pytest.mark.parametrize(
    ("given", "kind", "says"),
    [
        ({"acknowledged": {"d-1-0", "d-2-0"}}, "lost", "d-2-0: acknowledged, not in the journal"),
        ({"states": {}}, "lost", "d-1-0: acknowledged, not in the books of a"),
        ({"states": {}}, "lost", "d-1-0: accepted by the venue, not in the books of a"),
        ({"records": [decided()]}, "lost", "not in the journal"),
        ({"fills": {}}, "lost", "execution 2010-01-05/E1/buy of d-1-0: not in the books of a"),
        (
            {"records": [decided(), reported(last_qty=4)]},
            "lost",
            "execution 2010-01-05/E1/buy: Executed",
        ),
        ({"lines": [ACCEPT, ACCEPT, EXECUTION]}, "duplicated", "d-1-0: accepted more than once"),
        ({"lines": [ACCEPT, EXECUTION, EXECUTION]}, "duplicated", "twice in the venue's record"),
        ({"lines": [ACCEPT], "held": {}}, "duplicated", "in the books of a, not at the venue"),
        ({"lines": [ACCEPT], "fills": {}, "held": {}, "told": []}, "duplicated", "in the journal,"),
        ({"told": []}, "lost", "execution 2010-01-05/E1/buy of d-1-0: not in the drop copy of b"),
        ({"told": [copied(_32="4")]}, "lost", "in the drop copy of b, Executed"),
        (
            {"told": [copied(), copied(_17="E2")]},
            "duplicated",
            "execution 2010-01-05/E2/buy: in the drop copy of b, not at the venue",
        ),
        (
            {"told": [copied(), copied(_31="10.6")]},
            "duplicated",
            "execution 2010-01-05/E1/buy: told twice, and otherwise, by the drop copy of b",
        ),
        ({"held": {"AAPL": 4}}, "positions", "AAPL: 4 shares in the books of a, 5 by its fills"),
        ({"states": {"d-1-0": "sent"}}, "open_orders", "d-1-0: open in the books of a, not at"),
        (
            {"lines": [ACCEPT], "fills": {}, "held": {}},
            "open_orders",
            "d-1-0: rests at the venue, not open in the books of a",
        ),
    ],
)
def test_every_disagreement_is_named(given: dict[str, Any], kind: str, says: str) -> None:
    found = compared(**given)
    assert not found.clean
    assert any(says in text for text in getattr(found, kind)), found


def test_an_order_that_risk_refused_need_not_be_in_the_books() -> None:
    found = compared(
        records=[decided(accepted=False)], lines=[], told=[], states={}, fills={}, held={}
    )
    assert found.clean


def test_what_the_drop_copy_told_first_is_known_as_such() -> None:
    found = journaled([decided(), reported("OPS-B-DROP"), reported()])
    assert found.drop_copied == {KEY}
    assert found.executions == {KEY: ONE}
    assert journaled([reported(exec_type="0")]) == Journaled()


def test_a_record_that_was_torn_and_makers_are_left_out() -> None:
    maker = json.dumps({**json.loads(EXECUTION), "maker": True, "exec_id": "E2"}).encode()
    found = record.read([ACCEPT, EXECUTION, maker, b'{"kind": "acce'])
    assert list(found.executions) == [KEY]
    assert record.shares(found.executions.values()) == {"AAPL": 5}
    assert (found.resting, found.twice) == (set(), [])


def test_a_drop_copy_that_is_told_again_alike_is_one() -> None:
    assert compared(told=[copied(), copied()]).clean


def test_of_a_drop_copy_only_whole_executions_count() -> None:
    torn = copied()[:-6]
    found = drop_copy.parse("b", [copied(_150="0"), torn, copied(_31="x"), copied(_54="9")])
    assert found == drop_copy.DropCopy("b")


def test_a_drop_copy_is_read_with_what_was_put_aside(tmp_path: Path) -> None:
    (tmp_path / "drop.log.1").write_bytes(copied() + b"\n")
    (tmp_path / "drop.log").write_bytes(copied(_17="E2", _54="2") + b"\n")
    first, second = len(copied()) + 1, ("2010-01-05", "E2", "sell")
    log = tmp_path / "drop.log"
    assert list(drop_copy.read("a", log).executions) == [second]
    assert drop_copy.read("a", log, drop_copy.size(log)).executions == {}
    (tmp_path / "drop.log.1").write_bytes((copied(_17="E0") + b"\n") * 2 + copied() + b"\n")
    found = drop_copy.read("a", tmp_path / "drop.log", 2 * first)
    assert list(found.executions) == [KEY, second]
    assert found.executions[KEY] == ONE
    assert drop_copy.read("a", tmp_path / "none.log").executions == {}
    assert drop_copy.size(tmp_path / "none.log") == 0


def test_only_what_both_comparisons_name_lasts_and_whatever_happened_twice() -> None:
    before = Reconciled(orders_acknowledged=3, lost=("x", "y"), positions=("p",))
    now = Reconciled(orders_acknowledged=3, lost=("y", "z"), duplicated=("d",))
    found = lasting(before, now)
    assert found.faults == ("y", "d")
    assert lasting(before, Reconciled(orders_acknowledged=3)).clean


def test_a_cancel_ends_what_rests() -> None:
    cancel = line("cancel", cl_ord_id="c1", orig_cl_ord_id="d-1-0")
    assert record.read([ACCEPT]).resting == {"d-1-0"}
    assert record.read([ACCEPT, cancel]).resting == set()
    assert record.read([ACCEPT, line("expire")]).resting == set()
    assert record.read([line("reject")]).rejected == {"d-1-0"}


def window(*before: bytes, since: tuple[bytes, ...] = ()) -> record.Record:
    """Return a venue's record with what it held as the drill began."""
    found = record.read(before)
    found.begin()
    for each in since:
        found.take(each)
    return found


def since_it_began(venue: record.Record, **of_books: Any) -> Reconciled:
    """Compare a drill without orders of its own."""
    books = {"site": "a", "states": {}, "fills": {}, "held": {"AAPL": 9}, "before": {"AAPL": 9}}
    return reconcile(
        acknowledged=set(),
        journal=of_books.pop("journal", Journaled()),
        books=[Books(**(books | of_books))],
        drop_copies=of_books.pop("copies", []),
        venue=venue,
    )


def test_what_happened_before_the_drill_need_not_be_told_again() -> None:
    assert since_it_began(window(ACCEPT, EXECUTION)).clean


def test_what_rested_before_the_drill_must_be_open_in_the_books() -> None:
    rests = window(ACCEPT)
    assert since_it_began(rests, states={"d-1-0": "new"}).clean
    assert since_it_began(rests).open_orders == (
        "d-1-0: rests at the venue, not open in the books of a",
    )
    ended = window(ACCEPT, line("expire"))
    assert since_it_began(ended, states={"d-1-0": "new"}).open_orders == (
        "d-1-0: open in the books of a, not at the venue",
    )


def test_what_rested_and_is_executed_in_the_drill_must_be_known_to_all() -> None:
    def filled() -> record.Record:
        return window(ACCEPT, since=(EXECUTION,))

    told = {"journal": Journaled(executions={KEY: ONE}), "states": {"d-1-0": "filled"}}
    booked = told | {"fills": {KEY: ONE}, "held": {"AAPL": 14}}
    assert since_it_began(filled(), **booked).clean
    lacks = since_it_began(filled(), **(booked | {"journal": Journaled()}))
    assert lacks.lost == ("execution 2010-01-05/E1/buy of d-1-0: not in the journal",)
    lacks = since_it_began(filled(), **(told | {"held": {"AAPL": 9}}))
    assert lacks.lost == ("execution 2010-01-05/E1/buy of d-1-0: not in the books of a",)
    differ = since_it_began(filled(), **(booked | {"held": {"AAPL": 9}}))
    assert differ.positions == ("AAPL: 9 shares in the books of a, 14 by its fills",)


def test_what_was_executed_just_before_the_drill_may_be_told_in_it_but_not_otherwise() -> None:
    late = {"fills": {KEY: ONE}, "held": {"AAPL": 14}}
    assert since_it_began(window(ACCEPT, EXECUTION), **late).clean
    other = Executed("d-1-0", "AAPL", "buy", 5, Decimal("10.6"))
    found = since_it_began(window(ACCEPT, EXECUTION), **(late | {"fills": {KEY: other}}))
    assert [text.partition(":")[0] for text in found.lost] == ["execution 2010-01-05/E1/buy"]
    found = since_it_began(window(ACCEPT), **late)
    assert found.duplicated == ("execution 2010-01-05/E1/buy: in the books of a, not at the venue",)


def test_an_order_of_before_the_drill_that_is_accepted_again_is_duplicated() -> None:
    found = since_it_began(window(ACCEPT, EXECUTION, since=(ACCEPT,)), states={"d-1-0": "new"})
    assert found.duplicated == ("d-1-0: accepted more than once by the venue",)


BOOKED: dict[tuple[str, str], tuple[int, int, Decimal]] = {
    ("AAPL", "buy"): (3, 20, Decimal(200)),
    ("AAPL", "sell"): (1, 11, Decimal(90)),
}
HELD = Held(100, {"AAPL": 9}, BOOKED, orders=4)


@pytest.mark.parametrize(
    ("now", "new", "lost"),
    [
        (HELD, set(), ""),
        (Held(100, {"AAPL": 9}, BOOKED, orders=6), {"d-1-0", "d-1-1"}, ""),
        (
            Held(100, {}, BOOKED | {("AAPL", "buy"): (2, 15, Decimal(150))}, orders=4),
            set(),
            (
                "AAPL buy: 3 executions (20 shares, 200 USD) in the books of a before the drill, "
                "2 executions (15 shares, 150 USD) of them now"
            ),
        ),
        (
            Held(100, {}, {("AAPL", "buy"): BOOKED["AAPL", "buy"]}, orders=4),
            set(),
            (
                "AAPL sell: 1 executions (11 shares, 90 USD) in the books of a before the drill, "
                "0 executions (0 shares, 0 USD) of them now"
            ),
        ),
        (
            Held(100, {}, BOOKED, orders=4),
            {"d-1-0"},
            "1 orders from before the drill: not in the books of a any more",
        ),
    ],
)
def test_what_is_gone_from_before_the_drill_is_named(now: Held, new: set[str], lost: str) -> None:
    assert gone("a", HELD, now, new) == ([lost] if lost else [], [])


def test_books_that_held_something_else_than_was_booked_are_named() -> None:
    before = Held(100, {"AAPL": 8}, BOOKED, orders=4)
    assert gone("a", before, before, set()) == (
        [],
        ["AAPL: 8 shares in the books of a before the drill, 9 by its fills"],
    )
