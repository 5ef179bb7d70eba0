"""Writes a made run of a drill (`tests.support.drilled`) into a folder, as a recording is."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import msgspec

from apps.venue.record import encode
from opsctl.drills.outcome import Drilled, Goal, Measured, Moment, Objective
from opsctl.drills.reconciliation import Reconciled
from opsctl.drills.recording import files
from opsctl.drills.recording.files import Led, Manifest, Window
from opsctl.drills.recording.reading import Told
from tests.support.drilled import BEGAN_NS, CLIENT, MS, Made

RUN = "20261129T115632000Z-c0ffee"
_JSON = msgspec.json.Encoder(decimal_format="string")


def write(found: Made, folder: Path, verdict: Any = "passed") -> Path:
    """Write a run into a folder, sealed; return the folder."""
    folder.mkdir(parents=True, exist_ok=True)
    _lines(folder / files.CLIENT, found.client)
    _lines(
        folder / files.JOURNAL,
        (
            {"index": index, "epoch": epoch, "writer": f"{'ab'[epoch - 3]}-1", "record": record}
            for index, (epoch, record) in enumerate(found.journal, start=101)
        ),
    )
    (folder / files.VENUE).write_bytes(b"".join(encode([line]) for line in found.venue))
    for site, told in found.copies.items():
        _lines(folder / f"{files.DROP_COPY}{site}.jsonl", map(Told.of, told))
    for site, rows in found.books.items():
        _lines(folder / f"{files.BOOKS}{site}.jsonl", [*_positions(rows), *rows])
    _lines(folder / files.LOGS, found.logs)
    timeline = tuple(_timeline(found))
    _lines(folder / files.TIMELINE, ({"at_ns": at, "what": what} for at, what in timeline))
    window = Window(
        client=CLIENT,
        recovery="takeover",
        single_session=False,
        journal_after=100,
        fault_ns=found.fault_ns,
        lifted_ns=found.fault_ns,
        ended_ns=found.ended_ns,
        former=Led(epoch=3, site="a", session="OPS-A-ORD", at_ns=BEGAN_NS - 60_000 * MS),
        successor=Led(epoch=4, site="b", session="OPS-B-ORD", at_ns=found.taken_ns),
    )
    _json(folder / files.WINDOW, window.model_dump(mode="json"))
    _json(folder / files.SCENARIO, {"name": "leader-kill"})
    _json(folder / files.ENVIRONMENT, {"name": "intraday"})
    _json(
        folder / files.FACTS,
        json.loads(facts(found, verdict).model_dump_json(exclude={"report", "evidence"})),
    )
    return seal(folder)


def seal(folder: Path) -> Path:
    """Write the manifest of what is in a folder; return the folder."""
    manifest = Manifest(
        run=RUN,
        scenario="leader-kill",
        environment="intraday",
        identity="7b4a2f1e-0000-4000-8000-000000000000",
        environment_sha256="0" * 64,
        versions={"opsctl": "0.1.0", "etcd": "3.4.23"},
        files=files.seal(folder),
    )
    _json(folder / files.MANIFEST, manifest.model_dump(mode="json"))
    return folder


def rewrite(path: Path, change: Callable[[dict[str, Any]], dict[str, Any] | None]) -> None:
    """Change the lines of a file; what `change` returns None for is left out."""
    changed = (change(json.loads(line)) for line in path.read_bytes().splitlines())
    path.write_text("".join(json.dumps(row) + "\n" for row in changed if row is not None))


def facts(found: Made, verdict: Any = "passed") -> Drilled:
    """Return what a run comes to."""
    acknowledged = sum(row["type"] == "acknowledged" for row in found.client)
    return Drilled(
        id=RUN,
        scenario="leader-kill",
        title="The leading execution process is killed",
        environment="intraday",
        verdict=verdict,
        hypothesis="Orders go on being accepted, every one is settled, none is entered twice.",
        parameters={},
        objective=Objective(rto_s=60),
        goal=Goal(rto_ms=50, met=True),
        measured=Measured(
            detection_ms=12.0,
            takeover_ms=(found.resumed_ns - found.taken_ns) / MS,
            rto_ms=(found.resumed_ns - found.last_ns) / MS,
            acknowledgement_gap_ms=38.5,
            orders_submitted=acknowledged,
            orders_acknowledged=acknowledged,
            positions_reconciled=True,
            open_orders_reconciled=True,
        ),
        failure_domains="2 sites on 1 host (127.0.0.1)",
        rehearsal="sites a and b share one host",
        leader_before="a",
        leader_after="b",
        timeline=tuple(
            Moment(
                at=datetime.fromtimestamp(at // 1_000 / 1e6, UTC),
                ms=(at - found.fault_ns) / MS,
                what=what,
            )
            for at, what in _timeline(found)
        ),
        reconciliation=Reconciled(orders_acknowledged=acknowledged),
        rolled_back=True,
        findings=("the takeover was rehearsed on one host",),
    )


def _timeline(found: Made) -> Iterator[tuple[int, str]]:
    yield BEGAN_NS - 2_000 * MS, "looking for a steady state"
    yield BEGAN_NS, "keeping 200 orders a second coming"
    yield found.last_ns, "last acceptance on the former session"
    yield found.fault_ns, "SIGKILL of execution@a"
    yield found.taken_ns, "b leads epoch 4"
    yield found.resumed_ns, "first acceptance on the successor's session"
    yield found.ended_ns, "rolling back"


def _positions(rows: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    held: dict[str, int] = {}
    for row in rows:
        if row["table"] == "fills":
            signed = row["qty"] if row["side"] == "buy" else -row["qty"]
            held[row["symbol"]] = held.get(row["symbol"], 0) + signed
    last = max((row["journal_index"] for row in rows), default=100)
    yield {"table": "journal_position", "when": "before", "index": 100}
    yield {"table": "journal_position", "when": "after", "index": last}
    for symbol, qty in sorted(held.items()):
        if qty:
            yield {"table": "positions", "when": "after", "symbol": symbol, "qty": qty}


def _lines(path: Path, rows: Any) -> None:
    with path.open("wb") as out:
        for row in rows:
            out.write(_JSON.encode(row) + b"\n")


def _json(path: Path, content: Any) -> None:
    path.write_text(json.dumps(content, indent=2) + "\n")
