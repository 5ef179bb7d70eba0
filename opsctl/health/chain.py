"""Sends probes through the whole chain of a site, and gathers their stamps from the bus.

A probe enters at the data app, is decided upon, journaled, sent to the venue's test
symbol and canceled there: everything is real but the position.
"""

from __future__ import annotations

import json
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import TYPE_CHECKING, Any

from apps.core.messages import OrderState, OrderUpdate, Stamps, decode
from opsctl.errors import ObjectiveMissed
from opsctl.services.base import BusProbe, Host, HttpProbe, Service

if TYPE_CHECKING:
    from valkey import Valkey

ORDERS = "orders"
DATA = "data"
SEND_S = 5.0
LOST_S = 10.0
"""A probe that has not come out so long after it went in is lost."""
GIVE_UP = 3
"""So many lost in a row, and no more are sent."""
BLOCK_MS = 500
PAGE = 1_000


class ChainUnreachable(ObjectiveMissed):
    """No probe can be sent, or none can be heard of."""


@dataclass(frozen=True)
class Ends:
    """The two ends of a site's chain: where probes go in, where their stamps come out."""

    site: str
    door: HttpProbe
    bus: BusProbe
    token: str
    password: str


@dataclass
class Probed:
    """What became of probes: stamps of those that were sent, and why others were not."""

    asked: int
    stamps: list[Stamps] = field(default_factory=list)
    refused: Counter[str] = field(default_factory=Counter)
    """Reasons why a probe was not taken in, or its order rejected -> how many."""
    lost: int = 0
    per_s: float = 0.0
    """How many were sent in a second."""

    @property
    def unsent(self) -> int:
        """How many were not sent, after too many were lost."""
        return self.asked - len(self.stamps) - self.refused.total() - self.lost


def ends(services: tuple[Service, ...], host: Host) -> tuple[Ends, ...]:
    """Return the ends of the chain of every site that has one."""
    found = []
    for service in services:
        if service.name != DATA or not isinstance(service.probe, HttpProbe):
            continue
        bus = next(
            (s.probe for s in services if s.site == service.site and isinstance(s.probe, BusProbe)),
            None,
        )
        if bus is None:
            continue
        found.append(
            Ends(
                site=service.site,
                door=service.probe,
                bus=bus,
                token=_secret(host, service.probe.secret),
                password=_secret(host, bus.secret),
            )
        )
    return tuple(found)


def probe(at: Ends, count: int, rate_per_s: float) -> Probed:
    """Send so many probes, and return what became of them.

    One goes in when the one before is out, and not faster than the rate: it measures how
    long the chain takes for a tick, not how ticks queue beyond what it can carry.

    Raises:
        ChainUnreachable: the bus or the data app does not answer.
    """
    import valkey

    client = valkey.Valkey(
        host=at.bus.at.here.host,
        port=at.bus.at.here.port,
        password=at.password,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
    )
    # The plainest client there is: it works while the chain does, on the same processors.
    door = HTTPConnection(at.door.at.here.host, at.door.at.here.port, timeout=SEND_S)
    try:
        return _send(_Door(door, at.token), client, count, rate_per_s)
    except valkey.ValkeyError as fault:
        raise ChainUnreachable(
            f"the bus of site {at.site} does not answer on {at.bus.at}: {fault}",
            hint="opsctl status shows whether it runs, opsctl logs valkey why not",
        ) from fault
    except (OSError, HTTPException) as fault:
        raise ChainUnreachable(
            f"the data app of site {at.site} does not answer on {at.door.at}: "
            f"{str(fault) or type(fault).__name__}",
            hint="opsctl status shows whether it runs, opsctl logs data why not",
        ) from fault
    finally:
        door.close()
        client.close()  # type: ignore[no-untyped-call]


@dataclass(frozen=True)
class _Door:
    """Where probes go in."""

    connection: HTTPConnection
    token: str

    def put(self, name: str) -> str:
        """Put a probe in; return why it was refused, empty where it was not."""
        self.connection.request(
            "POST",
            "/probe",
            json.dumps({"id": name}),
            {"Authorization": f"Bearer {self.token}", "Content-Type": "application/json"},
        )
        answer = self.connection.getresponse()
        body = answer.read()
        return "" if answer.status < 300 else _why(answer.status, body)


def _send(door: _Door, client: Valkey, count: int, rate_per_s: float) -> Probed:
    run = uuid.uuid4().hex[:8]
    probed = Probed(asked=count)
    newest: Any = client.xrevrange(ORDERS, count=1)
    after = newest[0][0] if newest else b"0-0"
    began = time.monotonic()
    lost_in_a_row = sent = 0
    while sent < count and lost_in_a_row < GIVE_UP:
        time.sleep(max(0.0, began + sent / rate_per_s - time.monotonic()))
        name = f"verify-{run}-{sent}"
        sent += 1
        if why_not := door.put(name):
            probed.refused[why_not] += 1
            continue
        update, after = _await(client, name, after)
        lost_in_a_row = 0 if update else lost_in_a_row + 1
        if update is None:
            probed.lost += 1
            door.connection.close()  # by now the app has hung up on a caller so long silent
        elif update.stamps.sent:
            probed.stamps.append(update.stamps)
        else:
            probed.refused[update.reason or "rejected"] += 1
    probed.per_s = round(sent / (time.monotonic() - began), 1)
    return probed


def _await(client: Valkey, name: str, after: bytes) -> tuple[OrderUpdate | None, bytes]:
    """Return the update that says what became of a probe, and where it was read.

    None where none came in time.
    """
    deadline = time.monotonic() + LOST_S
    while time.monotonic() < deadline:
        answer: Any = client.xread({ORDERS: after}, count=PAGE, block=BLOCK_MS)
        for entry, fields in answer[0][1] if answer else ():
            after = entry
            message = decode(fields[b"m"])
            if (
                isinstance(message, OrderUpdate)
                and message.probe == name
                and (message.stamps.sent or message.state is OrderState.REJECTED)
            ):
                return message, after
    return None, after


def _why(status: int, body: bytes) -> str:
    try:
        found = json.loads(body)
    except ValueError:
        found = {}
    said = found.get("detail") or found.get("error") if isinstance(found, dict) else ""
    return str(said or f"the data app answered {status}")


def _secret(host: Host, name: str) -> str:
    return Path(host.secret(name)).read_text(encoding="utf-8").strip()
