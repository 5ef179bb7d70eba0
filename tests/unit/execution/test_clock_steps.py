"""A wall clock that is set, on or back: nothing on the order path is decided by it."""

from __future__ import annotations

import asyncio
import contextlib
from decimal import Decimal
from pathlib import Path

import msgspec
import pytest

from apps.core.records import DecisionTaken, JournalRecord, Outcome
from apps.core.settings import ExecutionSettings
from apps.execution import metrics
from apps.execution.actions import Action
from apps.execution.decide import step
from apps.execution.events import Decided, Event, KillSeen, Reported, Silent
from apps.execution.peers import Peers
from tests.support.servers import free_port
from tests.unit.execution.made import OFF, ON, context, decision, fill, intent, led, report, unknown

SECOND_NS, HOUR_NS = 1_000_000_000, 3_600_000_000_000
START_NS = 10 * HOUR_NS


def orders(symbol: str, limit: int, *seqs: int) -> list[Event]:
    return [
        Decided(
            f"{n}-0",
            decision(
                intent(f"s-{n}-{symbol}-0", symbol=symbol, qty=10, limit=Decimal(limit)),
                seq=n,
                expires_seq=99,
            ),
            0,
        )
        for n in seqs
    ]


def told(set_by_ns: int) -> tuple[list[JournalRecord], list[Action], object]:
    """Return what is decided where the clock is set after the first step; times are left out."""
    steps: list[tuple[int, list[Event]]] = [
        (0, [*orders("AAPL", 10, 0, 1, 2), Silent(("s-1-AAPL-0",))]),
        (
            set_by_ns + 2 * SECOND_NS,
            [
                Reported(report(order="s-0-AAPL-0")),
                Reported(unknown(order="s-1-AAPL-0", seq=5, asked=1)),
                Reported(fill("E9", 10, 10, order="s-2-AAPL-0", seq=6, ord_status="2")),
                *orders("MSFT", 20, 3, 4, 5),
            ],
        ),
        (set_by_ns + 3 * SECOND_NS, [KillSeen(), *orders("GE", 50, 6)]),
    ]
    state = led()
    records: list[JournalRecord] = []
    actions: list[Action] = []
    for after_ns, events in steps:
        now_ns = START_NS + after_ns
        stamped = [
            msgspec.structs.replace(event, received_ns=now_ns)
            if isinstance(event, Decided)
            else event
            for event in events
        ]
        kill = ON if events is steps[-1][1] else OFF
        stepped = step(state, stamped, context(now_ns=now_ns, kill=kill))
        records += stepped.records
        actions += stepped.actions
    return [_timeless(r) for r in records], actions, state.exposures()


def _timeless(record: JournalRecord) -> JournalRecord:
    timed = [name for name in ("at_ns", "received_ns") if hasattr(record, name)]
    return msgspec.structs.replace(record, **dict.fromkeys(timed, 0))


@pytest.mark.parametrize("set_by_ns", [HOUR_NS, -HOUR_NS], ids=["on", "back"])
def test_the_same_is_decided_whatever_the_clock_says(set_by_ns: int) -> None:
    records, actions, exposures = told(0)
    outcomes = [r.outcome for r in records if isinstance(r, DecisionTaken)]
    assert outcomes == [Outcome.ACCEPTED] * 6 + [Outcome.REFUSED]
    again, acted, exposed = told(set_by_ns)
    assert again == records
    assert [type(a) for a in acted] == [type(a) for a in actions]
    assert exposed == exposures


def test_another_sites_clock_is_told_over_the_link(tmp_path: Path) -> None:
    ports = {"a": free_port(), "b": free_port()}
    (tmp_path / "token").write_text("word")

    def settings(site: str) -> ExecutionSettings:
        return ExecutionSettings.of(
            environment="test", site=site, service="execution", http_port=9,
            http_token_file=tmp_path / "token", bus_port=9, bus_password_file=tmp_path / "token",
            journal_endpoints=["127.0.0.1:9"], journal_ca_file=tmp_path, journal_cert_file=tmp_path,
            journal_key_file=tmp_path, fix_port=9, fix_store=tmp_path,
            fix_password_file=tmp_path / "token", sites=["a", "b"], peer_port=ports[site],
            peers={s: f"127.0.0.1:{p}" for s, p in ports.items() if s != site},
        )  # fmt: skip

    def offset(peer: str) -> float:
        found = [sample for metric in metrics.CLOCK_OFFSET.collect() for sample in metric.samples]
        return next((s.value for s in found if s.labels == {"peer": peer}), 0.0)

    async def go() -> None:
        links: list[tuple[str, bool]] = []
        a = Peers(settings("a"), lambda *seen: links.append(seen), lambda: START_NS)
        b = Peers(settings("b"), lambda *_: None, lambda: START_NS - HOUR_NS)
        running = [asyncio.create_task(one.run()) for one in (a, b)]
        async with asyncio.timeout(20):
            while not (offset("a") and offset("b")):
                await asyncio.sleep(0.01)
        assert offset("b") == pytest.approx(-3600, abs=0.1)
        assert offset("a") == pytest.approx(3600, abs=0.1)
        assert links == [("b", True)]
        for task in running:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task

    asyncio.run(go())
