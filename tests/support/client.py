"""An independent client: keeps decisions flowing into a deployed platform, remembers what
was acknowledged, and asks the platform's own stores what became of it.

It stands outside the platform: it speaks to the bus as a strategy would, and believes an
order acknowledged only when the journal's index comes back for it.
"""

from __future__ import annotations

import itertools
import json
import queue
import threading
import time
from decimal import ROUND_HALF_EVEN, Decimal
from pathlib import Path
from typing import Any, Self, get_origin

import psycopg
from valkey import Valkey
from valkey.exceptions import ValkeyError

from apps.core import bus
from apps.core.messages import (
    BusMessage,
    Close,
    Decision,
    Intent,
    OrderUpdate,
    Side,
    Stamps,
    decode,
    encode,
)
from apps.core.settings import APPS
from opsctl.services.base import Service
from opsctl.services.venue import SITE
from opsctl.targets.base import Target

TICK = Decimal("0.0001")
SEND_S = 5.0
"""How long a client that was stopped tries to submit what it has decided."""
FAR = 2_000_000_000
"""An expiry that market data does not reach: the client's decisions do not go stale."""


class Access:
    """Where the bus, the books and the venue's record of a site are."""

    def __init__(self, target: Target, site: str = "a") -> None:
        """Read the settings of the running services."""
        self.site = site
        self._services = {
            service.name: service for service in target.services() if service.site in (site, SITE)
        }

    def service(self, name: str) -> Service:
        """Return a service by name."""
        return self._services[name]

    def setting(self, service: str, name: str) -> str:
        """Return one setting of an app."""
        return self._services[service].environment[f"TRADING_{name}".upper()]

    def settings(self, service: str) -> dict[str, object]:
        """Return the settings of an app, as its class of `apps.core.settings` takes them."""
        known = APPS[service].model_fields
        prefix = "TRADING_"
        return {
            name: json.loads(value) if _is_json(known[name].annotation) else value
            for variable, value in self._services[service].environment.items()
            if variable.startswith(prefix)
            and (name := variable.removeprefix(prefix).lower()) in known
        }

    def secret(self, service: str, name: str) -> str:
        """Return the secret that a `*_file` setting of an app names."""
        return Path(self.setting(service, name)).read_text().strip()

    def bus(self) -> Any:
        """Return a client of the bus."""
        return Valkey(
            host=self.setting("execution", "bus_host"),
            port=int(self.setting("execution", "bus_port")),
            password=self.secret("execution", "bus_password_file"),
            socket_timeout=2.0,
            socket_connect_timeout=1.0,
        )

    def books(self) -> psycopg.Connection[tuple[Any, ...]]:
        """Return a connection to PostgreSQL."""
        return psycopg.connect(
            host=self.setting("projector", "db_host"),
            port=int(self.setting("projector", "db_port")),
            dbname=self.setting("projector", "db_name"),
            user=self.setting("projector", "db_user"),
            password=self.secret("projector", "db_password_file"),
            autocommit=True,
        )

    @property
    def record(self) -> Path:
        """The venue's own record."""
        return Path(self.setting("venue", "record"))


class Client:
    """Sends decisions of two orders each at a steady rate, to every site, until stopped."""

    def __init__(self, *sites: Access, name: str = "client", rate_per_s: float = 20.0) -> None:
        """Prepare; use as a context manager to run it."""
        self._name, self._period_s = name, 1.0 / rate_per_s
        self._sites = sites
        self._stop = threading.Event()
        self._queues = {site.site: queue.SimpleQueue[Decision]() for site in sites}
        self._after: dict[str, bytes | str] = {}
        self._threads = [threading.Thread(target=self._decide, name="client", daemon=True)]
        for site in sites:
            for work in (self._send, self._listen):
                thread = threading.Thread(target=work, args=(site,), name="client", daemon=True)
                self._threads.append(thread)
        self.submitted: set[str] = set()
        self.acknowledged: set[str] = set()

    def __enter__(self) -> Self:
        """Start sending."""
        for site in self._sites:
            newest = site.bus().xrevrange(bus.ORDERS, count=1)
            self._after[site.site] = newest[0][0] if newest else bus.START
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop sending, listen a little longer, end."""
        self.finish()

    def finish(self) -> None:
        """Stop deciding, send what is decided, and end the threads; safe to call twice."""
        self._stop.set()
        for thread in self._threads:
            thread.join(timeout=10)

    def _decide(self) -> None:
        connections = itertools.cycle([site.bus() for site in self._sites])
        connection = next(connections)
        numbers = itertools.count(int(time.time() * 1000) % FAR)
        number, due = next(numbers), time.monotonic()
        while not self._stop.is_set():
            try:
                decision = self._decision(connection, number)
            except ValkeyError:
                connection = next(connections)
                self._stop.wait(0.05)
                continue
            if decision is not None:
                self.submitted |= {intent.id for intent in decision.intents}
                for waiting in self._queues.values():
                    waiting.put(decision)
                number = next(numbers)
            due += self._period_s
            self._stop.wait(max(0.0, due - time.monotonic()))

    def _send(self, site: Access) -> None:
        """Submit in order; what a site does not take is submitted again: a no-op by its id."""
        connection, waiting = site.bus(), self._queues[site.site]
        decision: Decision | None = None
        until: float | None = None
        while until is None or time.monotonic() < until:
            try:
                decision = decision or waiting.get(timeout=0.05)
                connection.xadd(bus.INTENTS, {b"m": encode(decision)})
                decision = None
            except queue.Empty:
                if self._stop.is_set():
                    return
            except ValkeyError:
                time.sleep(0.05)
            if self._stop.is_set() and until is None:
                until = time.monotonic() + SEND_S

    def _decision(self, connection: Any, number: int) -> Decision | None:
        newest = connection.xrevrange(bus.MD, count=1)
        if not newest:
            return None
        close = decode(newest[0][1][b"m"])
        assert isinstance(close, Close)
        symbols = sorted(symbol for symbol in close.prices if symbol != "ZVZZT")
        count = len(symbols)
        side = Side.BUY if number // count % 2 else Side.SELL
        intents = tuple(
            Intent(
                id=f"{self._name}-{number}-{symbol}-{leg}",
                symbol=symbol,
                side=side,
                qty=10 + leg,
                limit=_marketable(close.prices[symbol], side),
            )
            for leg, symbol in enumerate((symbols[number % count], symbols[(number + 7) % count]))
        )
        now = time.time_ns()
        return Decision(
            strategy=self._name,
            seq=number,
            day=close.day,
            expires_seq=FAR,
            intents=intents,
            stamps=Stamps(data_in=now, published=now, decided=now),
        )

    def _listen(self, site: Access) -> None:
        connection, after = site.bus(), self._after[site.site]
        quiet_since: float | None = None
        while quiet_since is None or time.monotonic() - quiet_since < 1.0:
            try:
                answer = connection.xread({bus.ORDERS: after}, count=1_000, block=200)
            except ValkeyError:
                time.sleep(0.05)
                continue
            for entry, fields in answer[0][1] if answer else ():
                after = entry
                self._acknowledge(decode(fields[b"m"]))
            quiet_since = (quiet_since or time.monotonic()) if self._stop.is_set() else None

    def _acknowledge(self, message: BusMessage) -> None:
        if isinstance(message, OrderUpdate) and message.id.startswith(f"{self._name}-"):
            self.acknowledged.add(message.id)


def _is_json(annotation: object) -> bool:
    return get_origin(annotation) in (list, dict)


def _marketable(price: Decimal, side: Side) -> Decimal:
    factor = Decimal("1.01") if side is Side.BUY else Decimal("0.99")
    return (price * factor / TICK).quantize(Decimal(1), rounding=ROUND_HALF_EVEN) * TICK
