from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

import pytest

from apps.core import archive
from apps.core.messages import Decision, Intent, Side
from apps.core.records import (
    VERSION,
    Batch,
    CancelsRequested,
    DecisionTaken,
    DivergenceSeen,
    DoubtOpened,
    DoubtSettled,
    EpochTaken,
    HaltSeen,
    JournalRecord,
    OrdersSent,
    OrdersWithheld,
    Outcome,
    ReportKind,
    ReportSeen,
    SessionSeen,
    UnknownVersion,
    Verdict,
    decode_batch,
    encode_batch,
)

INTENT = Intent(id="s-1-A", symbol="A", side=Side.BUY, qty=1, limit=Decimal("0.1000"))
EVERY: tuple[JournalRecord, ...] = (
    EpochTaken(epoch=1, owner="o", site="a", capital_usd=Decimal("1000000.00"), at_ns=1),
    DecisionTaken(
        decision=Decision(strategy="s", seq=1, day="2010-01-05", expires_seq=1, intents=(INTENT,)),
        digest="d",
        source="1-0",
        outcome=Outcome.ACCEPTED,
        verdicts=(Verdict(intent="s-1-A", accepted=True),),
        received_ns=2,
    ),
    DivergenceSeen(decision="s-1", seq=1, digest="e", source="2-0", at_ns=3),
    OrdersSent(session="OPS-A-ORD", journaled_ns=4, at_ns={"s-1-A": 5}),
    SessionSeen(session="OPS-A-ORD", event="logon", at_ns=6),
    ReportSeen(
        session="OPS-A-ORD",
        seq=2,
        kind=ReportKind.EXECUTION,
        venue="VENUE",
        received_ns=7,
        order="s-1-A",
        exec_id="E1",
        exec_type="F",
        last_qty=1,
        last_px=Decimal("0.1000"),
        side=Side.BUY,
    ),
    DoubtOpened(orders=("s-1-A",), cause="disconnect", at_ns=8),
    DoubtSettled(order="s-1-A", step="hold", reason="r", at_ns=9),
    OrdersWithheld(reasons={"s-1-A": "halted"}, at_ns=10),
    CancelsRequested(cancels={"s-1-A": "s-1-A.c1"}, cause="halt", at_ns=11),
    HaltSeen(halted=True, by="x", reason="y", revision=3, at_ns=12),
)


def test_every_record_survives_the_journal_exactly() -> None:
    batch = Batch(first=7, epoch=1, writer="o", records=EVERY)
    assert decode_batch(encode_batch(batch)) == batch
    assert (batch.first, batch.last) == (7, 6 + len(EVERY))
    assert b'"0.1000"' in encode_batch(batch), "prices keep their digits"


def test_every_kind_of_record_is_tried_here() -> None:
    assert {type(record) for record in EVERY} == set(JournalRecord.__args__)


def test_a_newer_releases_batch_is_refused_and_not_guessed_at() -> None:
    newer = json.loads(encode_batch(Batch(first=1, epoch=1, writer="o", records=EVERY)))
    newer["v"] = VERSION + 1
    newer["records"] = [{"type": "not yet invented"}]
    with pytest.raises(UnknownVersion, match=f"version {VERSION + 1}"):
        decode_batch(json.dumps(newer).encode())


def test_fields_of_a_later_minor_release_are_ignored() -> None:
    later = json.loads(encode_batch(Batch(first=1, epoch=1, writer="o", records=EVERY[:1])))
    later["records"][0]["mood"] = "good"
    assert decode_batch(json.dumps(later).encode()).records == EVERY[:1]


def test_the_archive_gives_back_what_follows_an_index(tmp_path: Path) -> None:
    folder = tmp_path / "archive"
    assert list(archive.read(folder, 0)) == []
    archive.write(folder, 1, 4, [b"1-2", b"3-4"])
    archive.write(folder, 5, 9, [b"5-9"])
    (folder / "00000000000000000010-00000000000000000012.jsonl.partial").write_bytes(b"torn")
    assert list(archive.read(folder, 0)) == [b"1-2", b"3-4", b"5-9"]
    assert list(archive.read(folder, 4)) == [b"5-9"]
    assert list(archive.read(folder, 9)) == []
    assert [archive.span(path) for path in archive.files(folder)] == [(1, 4), (5, 9)]
