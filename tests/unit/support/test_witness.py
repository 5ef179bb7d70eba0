"""The judge of the survival tests finds each kind of loss that it is there for."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.witness import Books, Execution, Witness, equity, faults, holdings, read

KEY = ("2010-01-05", "E2", "buy")
FILL = Execution("a", "AAPL", "buy", 10, Decimal("6.5001"))
EXECUTION: dict[str, Any] = {
    "kind": "execution",
    "day": "2010-01-05",
    "exec_id": "E2",
    "side": "buy",
    "cl_ord_id": "a",
    "symbol": "AAPL",
    "qty": 10,
    "price": "6.5001",
}


def seen() -> Witness:
    """Return a venue's account of one order."""
    witness = Witness(executions={KEY: FILL})
    witness.accepted["a"] = 1
    return witness


def books() -> Books:
    """Return books that agree with it."""
    return Books(fills={KEY: FILL}, states={"a": "filled"}, held={"AAPL": 10})


def test_agreement_is_no_fault() -> None:
    assert faults(seen(), books(), ["a"]) == []


@pytest.mark.parametrize(
    ("broken", "says"),
    [
        (lambda w, b: b.fills.clear(), "fill not booked"),
        (lambda w, b: w.executions.clear(), "fill invented"),
        (lambda w, b: b.fills.update({KEY: replace(FILL, qty=9)}), "fill differs"),
        (lambda w, b: w.doubled.append(KEY), "venue executed twice"),
        (lambda w, b: w.accepted.update(["a"]), "accepted 2 times"),
        (lambda w, b: b.states.clear(), "acknowledged, not in the books"),
        (lambda w, b: b.states.clear(), "at the venue, not in the books"),
        (lambda w, b: b.states.update(a="in_doubt"), "not settled"),
        (lambda w, b: b.held.update(AAPL=9), "positions differ"),
    ],
)
def test_each_disagreement_is_found(broken: Callable[[Witness, Books], None], says: str) -> None:
    witness, found = seen(), books()
    broken(witness, found)
    assert any(fault.startswith(says) for fault in faults(witness, found, ["a"]))


def test_a_record_is_read_without_the_maker_and_without_a_torn_line(tmp_path: Path) -> None:
    record = tmp_path / "record.jsonl"
    lines = [
        {"kind": "accept", "cl_ord_id": "a"},
        EXECUTION,
        {**EXECUTION, "exec_id": "E3", "side": "sell", "maker": True},
    ]
    whole = "".join(json.dumps(line) + "\n" for line in lines)
    record.write_text(whole + '{"kind":"execution","qty":1')
    assert read(record) == seen()
    record.write_text(whole + json.dumps(EXECUTION) + "\n")
    assert read(record).doubled == [KEY]


def test_holdings_and_equity_are_exact() -> None:
    sold = replace(FILL, side="sell", qty=4, price=Decimal("7.0003"))
    cash, held = holdings([FILL, sold])
    assert (cash, held) == (Decimal("-36.9998"), {"AAPL": 6})
    closes = {"AAPL": Decimal("7.1")}
    assert equity(Decimal(100), [FILL, sold], closes) == Decimal("105.6002")
