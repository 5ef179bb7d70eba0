"""`FakeVenue`: a FIX acceptor that can be told to misbehave, as a process of its own.

    python -m tests.integration.execution.fake_venue PORT STORE RECORD PASSWORD [TROUBLE]

It fills every other order in two executions, cancels the rest of an IOC order, rejects
duplicate ClOrdIDs for the firm, answers status requests, and keeps the record that the
real venue keeps. Trouble can be asked for: `deaf` drops every NewOrderSingle once, and
`drop-copy-only` tells what becomes of orders on the drop copy alone.
"""

from __future__ import annotations

import asyncio
import json
import os
import sys
import time
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from apps.core.fix import Engine, Event, Pair, Received, sessions

DAY = "20100105"


@dataclass
class Accepted:
    """An order at the venue."""

    session: str
    symbol: str
    side: str
    qty: int
    price: Decimal
    tif: str
    cum: int = 0
    status: str = "0"


class FakeVenue:
    """Accepts, executes, records; the record is written before a message leaves."""

    def __init__(self, port: int, store: Path, record: Path, password: str, trouble: str) -> None:
        self.orders: dict[str, Accepted] = {}
        self.executions = 0
        self.trouble = trouble
        self.dropped: set[str] = set()
        self.record = record
        self._replay()
        self.out = record.open("ab")
        self.engine = Engine(
            role="acceptor",
            own=["VENUE"],
            peers=sessions(["a"]),
            host="127.0.0.1",
            port=port,
            store=store,
            password=password,
            on_event=self.on_event,
        )
        self.engine.start()

    def _replay(self) -> None:
        if not self.record.exists():
            return
        kept = self.record.read_bytes()
        kept = kept[: kept.rfind(b"\n") + 1]
        self.record.write_bytes(kept)
        for line in kept.splitlines():
            row = json.loads(line)
            if row["kind"] == "accept":
                self.orders[row["cl_ord_id"]] = Accepted(
                    row["session"],
                    row["symbol"],
                    "1" if row["side"] == "buy" else "2",
                    row["qty"],
                    Decimal(row["limit"]),
                    row["tif"],
                )
            elif row["kind"] == "execution":
                self.executions += 1
                order = self.orders[row["cl_ord_id"]]
                order.cum, order.status = row["cum_qty"], "1" if row["leaves_qty"] else "2"
            elif row["kind"] == "cancel":
                self.orders[row["cl_ord_id"]].status = "4"

    def write(self, kind: str, **row: Any) -> None:
        line = json.dumps({"v": 1, "kind": kind, "at_ns": time.time_ns(), **row}, default=str)
        self.out.write(line.encode() + b"\n")
        self.out.flush()
        os.fdatasync(self.out.fileno())

    def on_event(self, event: Event) -> None:
        if not isinstance(event, Received):
            return
        fields = event.fields()
        match event.msg_type:
            case "D":
                self.entered(event.session, fields)
            case "F":
                self.cancelled(event.session, fields)
            case "H":
                self.asked(event.session, fields)

    def entered(self, session: str, fields: dict[int, str]) -> None:
        name = fields[11]
        if self.trouble == "deaf" and name not in self.dropped:
            self.dropped.add(name)
            return
        if name in self.orders:
            self.tell(session, name, "8", "8", [(103, "6"), (58, "duplicate ClOrdID")])
            return
        order = Accepted(
            session, fields[55], fields[54], int(fields[38]), Decimal(fields[44]), fields[59]
        )
        self.write(
            "accept",
            session=session,
            cl_ord_id=name,
            order_id=f"V-{name}",
            symbol=order.symbol,
            side="buy" if order.side == "1" else "sell",
            qty=order.qty,
            type="limit",
            limit=order.price,
            tif=order.tif,
        )
        self.orders[name] = order
        self.tell(session, name, "0", "0")
        if order.tif == "0":
            return
        half = order.qty // 2
        for qty in (half, order.qty - half) if len(self.orders) % 2 else (half,):
            if qty:
                self.execute(name, order, qty)
        if order.cum < order.qty:
            self.end(name, order)

    def execute(self, name: str, order: Accepted, qty: int) -> None:
        self.executions += 1
        order.cum += qty
        order.status = "2" if order.cum == order.qty else "1"
        self.write(
            "execution",
            exec_id=f"E{self.executions}",
            day="2010-01-05",
            cl_ord_id=name,
            session=order.session,
            symbol=order.symbol,
            side="buy" if order.side == "1" else "sell",
            qty=qty,
            price=order.price,
            cum_qty=order.cum,
            leaves_qty=order.qty - order.cum,
        )
        last: list[Pair] = [(32, str(qty)), (31, str(order.price))]
        self.tell(order.session, name, "F", order.status, last, f"E{self.executions}")

    def end(self, name: str, order: Accepted) -> None:
        order.status = "4"
        self.write("cancel", cl_ord_id=name, cum_qty=order.cum)
        self.tell(order.session, name, "4", "4")

    def cancelled(self, session: str, fields: dict[int, str]) -> None:
        order = self.orders.get(fields[41])
        if order is None or order.status in "248":
            unknown = order is None
            self.send(
                session,
                "9",
                [
                    (11, fields[11]),
                    (41, fields[41]),
                    (37, "NONE"),
                    (39, "8" if order is None else order.status),
                    (434, "1"),
                    (102, "1" if unknown else "0"),
                ],
            )
            return
        self.end(fields[41], order)

    def asked(self, session: str, fields: dict[int, str]) -> None:
        if fields[11] in self.orders:
            self.tell(session, fields[11], "I", self.orders[fields[11]].status)
        else:
            unknown: list[Pair] = [
                *((11, fields[11]), (17, "0"), (37, "NONE"), (150, "I"), (39, "8"), (103, "5")),
                *((55, fields[55]), (54, fields[54]), (38, "0"), (14, "0"), (151, "0"), (6, "0")),
            ]
            self.send(session, "8", unknown)

    def tell(
        self,
        session: str,
        name: str,
        exec_type: str,
        status: str,
        more: list[Pair] | None = None,
        exec_id: str = "0",
    ) -> None:
        order = self.orders[name]
        pairs: list[Pair] = [
            *((11, name), (17, exec_id), (37, f"V-{name}"), (150, exec_type), (39, status)),
            *((55, order.symbol), (54, order.side), (38, str(order.qty)), (14, str(order.cum))),
            *((151, str(order.qty - order.cum if status in "01" else 0)), (6, str(order.price))),
            *((60, time.strftime("%Y%m%d-%H:%M:%S.000000", time.gmtime())), (75, DAY)),
            *(more or []),
        ]
        if exec_type == "I" or self.trouble != "drop-copy-only":
            self.send(session, "8", pairs)
        if exec_type != "I":
            self.send(session.replace("ORD", "DROP"), "8", pairs)

    def send(self, session: str, msg_type: str, pairs: list[Pair]) -> None:
        self.engine.send(session, msg_type, pairs, stored=True)


async def main() -> None:
    port, store, record, password, *trouble = sys.argv[1:]
    FakeVenue(int(port), Path(store), Path(record), password, trouble[0] if trouble else "")
    await asyncio.Event().wait()


if __name__ == "__main__":
    asyncio.run(main())
