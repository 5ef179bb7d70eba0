"""A real venue in a process of its own, and a firm that logs on to it with QuickFIX."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import os
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date
from pathlib import Path
from typing import Any

import httpx

import apps
from apps.core.fix import Engine, Event, Logon, Pair, Purpose, Received, comp_id
from apps.core.settings import VenueSettings
from apps.venue.record import read
from tests.support.apps import App
from tests.support.asking import NO_TLS
from tests.support.servers import Process, free_port, wait_for

ROOT = Path(apps.__file__).parents[1]
TAPE = """Date,AAA,BBB
2020-01-02,100,50.5
2020-01-03,101,51
2020-01-06,99,oops
2020-01-07,102,52
"""
PASSWORD = "s3cret"
TOKEN = "t0ken"
DEADLINE_S = 30.0
ORD = comp_id("a", Purpose.ORDERS)
DROP = comp_id("a", Purpose.DROP_COPY)
MD = comp_id("a", Purpose.MARKET_DATA)
B_ORD = comp_id("b", Purpose.ORDERS)
B_DROP = comp_id("b", Purpose.DROP_COPY)
B_MD = comp_id("b", Purpose.MARKET_DATA)
SINGLE = comp_id("a", Purpose.ORDERS, single=True)
NOW: Pair = (60, "20200102-21:00:00")


@dataclass
class Market:
    """A venue process and what it stands on."""

    home: Path
    settings: VenueSettings
    process: Process

    def start(self) -> None:
        """Start the venue and wait until it is ready."""
        self.process.start()
        wait_for(self._ready, "the venue")

    def _ready(self) -> bool:
        assert self.process.alive, self.process.log()
        return self.get("/readyz").status_code == 200

    def get(self, path: str, token: str = TOKEN) -> httpx.Response:
        """Ask the operations endpoint."""
        try:
            return httpx.get(
                f"http://127.0.0.1:{self.settings.http_port}{path}",
                headers={"Authorization": f"Bearer {token}"},
                timeout=5.0,
                verify=NO_TLS,
            )
        except httpx.TransportError:
            return httpx.Response(599)

    def lines(self, *kinds: type[Any]) -> list[Any]:
        """Return the lines of the record, of some kinds or all."""
        return [x for x in read(self.settings.record) if not kinds or isinstance(x, kinds)]

    def metric(self, name: str) -> float:
        """Return a metric's value."""
        for line in self.get("/metrics").text.splitlines():
            if line.startswith(f"{name} "):
                return float(line.split()[1])
        raise KeyError(name)


@contextlib.contextmanager
def market(home: Path, **settings: object) -> Iterator[Market]:
    """Run a venue until the end of the block."""
    for name, text in (("tape.csv", TAPE), ("password", PASSWORD), ("token", TOKEN)):
        (home / name).write_text(text)
    base: dict[str, object] = {
        "environment": "test",
        "site": "market",
        "service": "venue",
        "http_port": free_port(),
        "http_token_file": home / "token",
        "fix_port": free_port(),
        "fix_password_file": home / "password",
        "fix_store": home / "fix",
        "record": home / "record.jsonl",
        "tape": str(home / "tape.csv"),
        "tape_start": date(2020, 1, 2),
        "day_s": "0",
        "depth_shares": 1000,
        "spread_bps": "10",
    }
    made = VenueSettings.of(**(base | settings))
    process = App("apps.venue", home / "venue.log", {**os.environ, **made.to_environment()})
    running = Market(home, made, process)
    try:
        running.start()
        yield running
    finally:
        process.kill()


@dataclass
class Firm:
    """The firm's side of its sessions, and everything that came in on them."""

    engines: dict[str, Engine]
    seen: list[Event] = field(default_factory=list)
    _changed: asyncio.Event = field(default_factory=asyncio.Event)
    _ids: Iterator[int] = field(default_factory=itertools.count)

    def send(self, session: str, kind: str, body: Sequence[Pair]) -> bool:
        """Send a message; return False where the session is not logged on."""
        return self.engines[session].send(session, kind, body)

    def take(self, event: Event) -> None:
        """Keep an event of the engine."""
        self.seen.append(event)
        self._changed.set()

    async def until(self, met: Callable[[], bool], what: str) -> None:
        """Wait until something that came in makes a condition true."""
        async with asyncio.timeout(DEADLINE_S):
            while not met():
                self._changed.clear()
                try:
                    await self._changed.wait()
                except asyncio.CancelledError:
                    raise TimeoutError(f"{what}; seen: {self.seen[-5:]}") from None

    def messages(self, session: str, *kinds: str) -> list[Received]:
        """Return what came in on a session, of some types or all."""
        return [
            e
            for e in self.seen
            if isinstance(e, Received)
            and e.session == session
            and (not kinds or e.msg_type in kinds)
        ]

    def reports(self, session: str, cl_ord_id: str) -> list[Received]:
        """Return the reports of one ClOrdID on a session, status answers aside."""
        return [
            m
            for m in self.messages(session, "8", "9")
            if m.get(11) == cl_ord_id and m.get(150) != "I"
        ]

    async def told(self, session: str, cl_ord_id: str, count: int = 1) -> list[Received]:
        """Wait for a number of reports of a ClOrdID and return them."""
        await self.until(
            lambda: len(self.reports(session, cl_ord_id)) >= count, f"{count} for {cl_ord_id}"
        )
        return self.reports(session, cl_ord_id)

    async def order(self, cl_ord_id: str, *, session: str = ORD, **terms: str) -> None:
        """Send a NewOrderSingle; by default an IOC limit order to buy 10 AAA at 101."""
        given = {"symbol": "AAA", "side": "1", "qty": "10", "price": "101", "tif": "3"} | terms
        price = [(40, "2"), (44, given["price"])] if given["price"] else [(40, "1")]
        body = [(11, cl_ord_id), (55, given["symbol"]), (54, given["side"]), (38, given["qty"])]
        assert self.send(session, "D", [*body, *price, (59, given["tif"]), NOW])

    async def cancel(self, cl_ord_id: str, orig: str, *, session: str = ORD) -> list[Received]:
        """Ask to cancel and return the answer."""
        body = [(11, cl_ord_id), (41, orig), (55, "AAA"), (54, "1"), (38, "10"), NOW]
        assert self.send(session, "F", body)
        return await self.told(session, cl_ord_id)

    async def replace(
        self, cl_ord_id: str, orig: str, *, qty: str, price: str, session: str = ORD
    ) -> list[Received]:
        """Ask to replace and return the answer."""
        body = [(11, cl_ord_id), (41, orig), (55, "AAA"), (54, "1"), (38, qty)]
        assert self.send(session, "G", [*body, (40, "2"), (44, price), (59, "0"), NOW])
        return await self.told(session, cl_ord_id)

    async def status(self, cl_ord_id: str, *, session: str = ORD) -> Received:
        """Ask for the status of an order and return the answer."""
        asked = f"s{next(self._ids)}"
        body = [(11, cl_ord_id), (55, "AAA"), (54, "1"), (790, asked)]
        assert self.send(session, "H", body)
        found: list[Received] = []

        def answered() -> bool:
            found[:] = [m for m in self.messages(session, "8", "j") if m.get(790) == asked]
            return bool(found)

        await self.until(answered, f"status of {cl_ord_id}")
        return found[0]

    async def mass_status(self, *, session: str = ORD) -> list[Received]:
        """Ask for the status of every order that a session may see and return the answers."""
        asked = f"m{next(self._ids)}"
        assert self.send(session, "AF", [(584, asked), (585, "7")])

        def answers() -> list[Received]:
            return [m for m in self.messages(session, "8") if m.get(584) == asked]

        await self.until(lambda: any(m.get(912) == "Y" for m in answers()), "the last answer")
        return answers()

    async def refused(self, subject: str, *, session: str = ORD) -> Received:
        """Wait for the BusinessMessageReject of a request and return it."""
        found: list[Received] = []

        def came() -> bool:
            found[:] = [m for m in self.messages(session, "j") if m.get(379) == subject]
            return bool(found)

        await self.until(came, f"a refusal of {subject}")
        return found[0]

    def subscribe(
        self, from_seq: int, symbols: Sequence[str] = ("*",), *, session: str = MD
    ) -> None:
        """Ask for market data from a sequence on."""
        names = [(146, str(len(symbols))), *((55, s) for s in symbols)]
        body = [
            (262, "r"),
            (263, "1"),
            (264, "1"),
            (265, "1"),
            *KINDS,
            *names,
            (5001, f"{from_seq}"),
        ]
        assert self.send(session, "V", body)

    def release(self, seq: int) -> None:
        """Say that a day is settled."""
        body = [(262, "r"), (263, "0"), (264, "1"), *KINDS, (146, "1"), (55, "*"), (5003, f"{seq}")]
        assert self.send(MD, "V", body)

    async def days(self, *seqs: int, session: str = MD) -> list[Received]:
        """Wait until exactly these days came, in this order."""
        want = [str(seq) for seq in seqs]
        await self.until(
            lambda: [m.get(5002) for m in self.messages(session, "X")][: len(want)] == want,
            f"days {want}",
        )
        return self.messages(session, "X")


KINDS: tuple[Pair, ...] = ((267, "3"), (269, "0"), (269, "1"), (269, "5"))


@contextlib.asynccontextmanager
async def firm(
    at: Market,
    *own: str,
    password: str = PASSWORD,
    store: str = "firm",
    wait: bool = True,
    outbound: int = 0,
) -> AsyncIterator[Firm]:
    """Log the firm on with some of its sessions (order entry and drop copy of site a).

    With `outbound` they take over from a process whose last numbers are not known.
    """
    made = Firm({})
    mine = own or (ORD, DROP)
    # Market data begins anew at every logon; order entry and drop copy never do.
    groups = [[s for s in mine if s.endswith("-MD") is fresh] for fresh in (False, True)]
    for fresh, group in enumerate(groups):
        if group:
            engine = Engine(
                role="initiator",
                own=group,
                peers=[at.settings.fix_venue],
                host="127.0.0.1",
                port=at.settings.fix_port,
                store=at.home / store / str(fresh),
                password=password,
                on_event=made.take,
                reset_on_logon=bool(fresh),
            )
            made.engines |= dict.fromkeys(group, engine)
            for session in group if outbound else ():
                engine.skip_to(session, outbound)
    engines = set(made.engines.values())
    for engine in engines:
        engine.start()
    try:
        if wait:
            await made.until(
                lambda: {e.session for e in made.seen if isinstance(e, Logon)} >= set(mine),
                "logon",
            )
        yield made
    finally:
        numbers = await _log_out(made)
        await asyncio.gather(*(asyncio.to_thread(engine.stop) for engine in engines))
        for session, number in numbers.items():
            made.engines[session].skip_to(session, number)
        for engine in engines:
            engine.forget()


async def _log_out(at: Firm) -> dict[str, int]:
    """Log out where the venue answers: an engine that stops looks for that once a second only.

    Return the number that the venue expects next of each session. The engine uses up more of
    them: it answers the answer, which the venue does not read any more. The venue would ask for
    that at the next logon, and an order that is sent before it asks would be lost with it, since
    the session layer sends no order again.
    """
    numbers = {}
    for session, engine in at.engines.items():
        if engine.logged_on(session):
            numbers[session] = engine.next_outbound(session) + 1
            engine.log_out(session, "the firm closes")
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(0.5):
            while any(at.engines[session].logged_on(session) for session in numbers):
                await asyncio.sleep(0.01)
    return numbers
