"""Sends probes through the whole chain of a site, and gathers their stamps from the bus.

A probe enters at the data app, is decided upon, journaled, sent to the venue's test
symbol and canceled there: everything is real but the position.
"""

from __future__ import annotations

import threading
import time
import uuid
from collections import Counter
from dataclasses import dataclass, field
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
QUIET_S = 5.0
"""Probes are lost that have not come out so long after the last sign of life."""
BLOCK_MS = 200
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
    paced_per_s: float = 0.0

    @property
    def lost(self) -> int:
        """How many went in and were not heard of again."""
        return self.asked - len(self.stamps) - self.refused.total()


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
    """Send so many probes at a steady rate, and return what became of them.

    Raises:
        ChainUnreachable: the bus or the data app does not answer.
    """
    import valkey

    client = valkey.Valkey(
        host=at.bus.at.host,
        port=at.bus.at.port,
        password=at.password,
        socket_timeout=5.0,
        socket_connect_timeout=2.0,
    )
    try:
        return _Run(at, client, count).go(rate_per_s)
    except valkey.ValkeyError as fault:
        raise ChainUnreachable(
            f"the bus of site {at.site} does not answer on {at.bus.at}: {fault}",
            hint="opsctl status shows whether it runs, opsctl logs valkey why not",
        ) from fault
    finally:
        client.close()  # type: ignore[no-untyped-call]


class _Run:
    """One round of probes: this thread sends, another listens."""

    def __init__(self, at: Ends, client: Valkey, count: int) -> None:
        self._at, self._client = at, client
        self._name = f"verify-{uuid.uuid4().hex[:8]}"
        self._waiting: set[str] = set()
        self._sent_all = threading.Event()
        self._fault: Exception | None = None
        self._probed = Probed(asked=count)

    def go(self, rate_per_s: float) -> Probed:
        newest: Any = self._client.xrevrange(ORDERS, count=1)
        after = newest[0][0] if newest else b"0-0"
        listener = threading.Thread(target=self._listen, args=(after,), name="probes", daemon=True)
        listener.start()
        try:
            self._send(rate_per_s)
        finally:
            self._sent_all.set()
            listener.join()
        if self._fault is not None:
            raise self._fault
        return self._probed

    def _send(self, rate_per_s: float) -> None:
        import httpx

        began = time.monotonic()
        with httpx.Client(
            base_url=f"http://{self._at.door.at}",
            headers={"Authorization": f"Bearer {self._at.token}"},
            timeout=SEND_S,
            trust_env=False,
        ) as client:
            for n in range(self._probed.asked):
                name = f"{self._name}-{n}"
                self._waiting.add(name)
                try:
                    answer = client.post("/probe", json={"id": name})
                except httpx.HTTPError as fault:
                    raise ChainUnreachable(
                        f"the data app of site {self._at.site} does not answer on "
                        f"{self._at.door.at}: {fault or type(fault).__name__}",
                        hint="opsctl status shows whether it runs, opsctl logs data why not",
                    ) from fault
                if not answer.is_success:
                    self._waiting.discard(name)
                    self._probed.refused[_why(answer)] += 1
                due = began + (n + 1) / rate_per_s
                # Paced, so that one probe does not queue behind another.
                time.sleep(max(0.0, due - time.monotonic()))
        self._probed.paced_per_s = round(self._probed.asked / (time.monotonic() - began), 1)

    def _listen(self, after: bytes) -> None:
        heard = time.monotonic()
        try:
            while self._waiting or not self._sent_all.is_set():
                answer: Any = self._client.xread({ORDERS: after}, count=PAGE, block=BLOCK_MS)
                for after, fields in answer[0][1] if answer else ():
                    if self._take(decode(fields[b"m"])):
                        heard = time.monotonic()
                if self._sent_all.is_set() and time.monotonic() - heard > QUIET_S:
                    return
        except Exception as fault:  # noqa: BLE001 - raised again by the thread that waits
            self._fault = fault

    def _take(self, message: object) -> bool:
        """Note what an update says about a probe; return whether it was one of ours."""
        if not isinstance(message, OrderUpdate) or message.probe not in self._waiting:
            return False
        if message.stamps.sent:
            self._probed.stamps.append(message.stamps)
        elif message.state is OrderState.REJECTED:
            self._probed.refused[message.reason or "rejected"] += 1
        else:
            return True
        self._waiting.discard(message.probe)
        return True


def _why(answer: Any) -> str:
    try:
        found = answer.json()
    except ValueError:
        found = {}
    said = found.get("detail") or found.get("error") if isinstance(found, dict) else ""
    return str(said or f"the data app answered {answer.status_code}")


def _secret(host: Host, name: str) -> str:
    return Path(host.secret(name)).read_text(encoding="utf-8").strip()
