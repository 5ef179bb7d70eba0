"""A venue of the simulator's own.

An independent, small model of what docs/venue.md promises: it shares no code with the venue
app nor with the firm, so that it can be the witness of a run. Messages are the fields that
the real ones have, and pass through the same code of the gateway.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from apps.core.fix import Pair, Received
from opsctl.drills.simulator.plan import SITES, Leg, Plan
from opsctl.drills.simulator.world import World

SENDS_ORDERS = "-ORD"
DROP_COPIES = tuple(f"OPS-{site.upper()}-DROP" for site in SITES)


class Engine(Protocol):
    """What the venue tells of a process's FIX engine."""

    def connected(self, connection: Connection) -> None:
        """Be logged on."""

    def disconnected(self, session: str) -> None:
        """Lose a session."""

    def received(self, message: Received) -> None:
        """Take a message."""


@dataclass
class AtVenue:
    """One order as the venue holds it."""

    id: str
    session: str
    symbol: str
    side: str
    qty: int
    filled: int = 0
    open: bool = True

    @property
    def status(self) -> str:
        """Its OrdStatus."""
        if self.open:
            return "1" if self.filled else "0"
        return "4" if self.filled < self.qty else "2"


@dataclass
class Session:
    """One session: everything that was ever sent on it, and the connection, if there is one."""

    name: str
    sent: list[tuple[str, tuple[Pair, ...]]] = field(default_factory=list)
    connection: Connection | None = None


class Connection:
    """What lies between a process and the venue on one session: alive until it is cut."""

    def __init__(self, engine: Engine, session: str) -> None:
        """Connect."""
        self.engine = engine
        self.session = session
        self.alive = True
        self.cut_after = False
        """Whether it is cut as soon as the venue has taken the next request."""
        self.next_in = 0.0
        self.next_out = 0.0


class VirtualVenue:
    """Accepts, executes, reports; remembers all of it."""

    def __init__(self, world: World, plan: Plan, legs: Callable[[str], Leg]) -> None:
        """Open; `legs` tells how an order will trade."""
        self.world = world
        self.plan = plan
        self.orders: dict[str, AtVenue] = {}
        self.accepted: Counter[str] = Counter()
        self.executions: list[tuple[str, str, str, str, int]] = []
        """ExecID, order, symbol, side, shares."""
        self.entered_at: list[tuple[float, str, str]] = []
        """When the gateway wrote a NewOrderSingle, on which session, which order.

        A process that freezes inside that write lets it go when it wakes: no check of its own
        can prevent it, and the venue's fence is what it is for.
        """
        # A venue knows whom it owes drop copies before they ever log on.
        self.sessions = {name: Session(name) for name in DROP_COPIES}
        self.on_change: Callable[[], None] = lambda: None
        """Told whenever an order was accepted or traded, before anybody hears of it."""
        self._own: dict[tuple[str, str], AtVenue] = {}
        """Orders by their session and ClOrdID."""
        self._all: list[AtVenue] = []
        """Those of a ClOrdID that was used again included."""
        self._legs = legs
        self._numbers = 0

    # Sessions

    def connect(self, engine: Engine, name: str, expected: int) -> None:
        """Log a session on, and send what its firm has not seen."""
        session = self.sessions.setdefault(name, Session(name))
        if session.connection is not None and session.connection.alive:
            return  # the older one is not gone yet: refused
        connection = session.connection = Connection(engine, name)
        self.world.note("venue", f"{name} logs on, expecting {expected}")
        engine.connected(connection)
        for seq in range(expected, len(session.sent) + 1):
            self._deliver(connection, seq, poss_dup=True)

    def cut(self, name: str) -> None:
        """Cut a session's connection: what is on its way is lost."""
        session = self.sessions.get(name)
        if session is None or session.connection is None or not session.connection.alive:
            return
        connection, session.connection = session.connection, None
        connection.alive = False
        self.world.note("venue", f"{name} is cut")
        connection.engine.disconnected(name)
        if self.plan.cancel_on_disconnect and name.endswith(SENDS_ORDERS):
            for order in self._all:
                if order.session == name and order.open:
                    self._end(order)

    def _deliver(self, connection: Connection, seq: int, *, poss_dup: bool = False) -> None:
        msg_type, pairs = self.sessions[connection.session].sent[seq - 1]
        connection.next_out = max(connection.next_out, self.world.now + self._lag())
        message = Received(connection.session, msg_type, seq, poss_dup, pairs)

        def arrive() -> None:
            if connection.alive:
                connection.engine.received(message)

        self.world.at(connection.next_out, arrive)

    def _lag(self) -> float:
        world = self.world
        return world.between(2e-4, 2e-3) if world.chance(0.97) else world.between(2e-3, 2e-2)

    # Requests

    def request(self, connection: Connection, msg_type: str, fields: dict[int, str]) -> None:
        """Take a request off the wire, if its connection lives until then."""
        connection.next_in = max(connection.next_in, self.world.now + self._lag())

        def arrive() -> None:
            if connection.alive:
                self._take(connection, msg_type, fields)
                if connection.cut_after and msg_type == "D":
                    self.cut(connection.session)

        self.world.at(connection.next_in, arrive)

    def _take(self, connection: Connection, msg_type: str, fields: dict[int, str]) -> None:
        session = connection.session
        match msg_type:
            case "D":
                self._enter(session, fields)
            case "F":
                self._cancel(session, fields)
            case "H" if self.plan.status_request:
                self._status(session, fields)
            case _:
                pass

    def _enter(self, session: str, fields: dict[int, str]) -> None:
        name = fields[11]
        fence = {"firm": name in self.orders, "session": (session, name) in self._own}
        if fence.get(self.plan.duplicate_check, False):
            self.world.note("venue", f"{name} rejected: duplicate")
            self._told(self._of(session, fields), "8", status="8", extra=[(103, "6")])
            return
        self.accepted[name] += 1
        order = AtVenue(name, session, fields[55], fields[54], int(fields[38]))
        self.orders[name] = self._own[session, name] = order
        self._all.append(order)
        self.world.note("venue", f"{name} accepted on {session}")
        self.on_change()
        self._told(order, "0", status="0")
        leg = self._legs(name)
        if fields.get(59) == "0":  # a day order rests, and may trade a little later
            if leg.fills:
                self.world.after(
                    self.world.between(0.005, 0.3), lambda: self.trade(order, leg.fills)
                )
            return
        if leg.fills:
            self.trade(order, leg.fills)
        if order.open:
            self._end(order)

    def trade(self, order: AtVenue, shares: int) -> None:
        """Execute shares of an order that is open."""
        shares = min(shares, order.qty - order.filled)
        if not order.open or shares <= 0:
            return
        order.filled += shares
        order.open = order.filled < order.qty
        exec_id = self._next("E")
        self.executions.append((exec_id, order.id, order.symbol, order.side, shares))
        status = "1" if order.open else "2"
        self._told(
            order, "F", status=status, exec_id=exec_id, extra=[(32, str(shares)), (31, "10")]
        )

    def _cancel(self, session: str, fields: dict[int, str]) -> None:
        order = self._find(session, fields[41])
        others = order is not None and order.session != session
        if order is None:
            refused = "8", "1"
        elif others and not self.plan.cross_session_cancel:
            refused = order.status, "99"
        elif not order.open:
            refused = order.status, "0"
        else:
            self._end(order, cancel=fields[11], by=session if others else "")
            return
        late = [(11, fields[11]), (41, fields[41])]
        self._send(session, "9", [*late, (39, refused[0]), (102, refused[1])])

    def _end(self, order: AtVenue, *, cancel: str = "", by: str = "") -> None:
        order.open = False
        asked = [(41, order.id)] if cancel else []
        self._told(order, "4", status="4", extra=asked, name=cancel, by=by)

    def _find(self, session: str, name: str) -> AtVenue | None:
        """Return the order of a ClOrdID, the session's own first."""
        return self._own.get((session, name)) or self.orders.get(name)

    def _status(self, session: str, fields: dict[int, str]) -> None:
        order = self._find(session, fields[11])
        echo = [(790, fields[790])] if 790 in fields else []
        hidden = self.plan.status_scope == "session" and order and order.session != session
        if order is None or hidden:
            self._report(
                session, self._of(session, fields), "I", status="8", extra=[(103, "5"), *echo]
            )
        else:
            self._report(session, order, "I", status=order.status, extra=echo)

    # Reports

    def _told(self, order: AtVenue, exec_type: str, **more: Any) -> None:
        """Report an event of an order to its session, and by drop copy to every site.

        `by` is the other session that asked for it, if one did: it is told, too.
        """
        exec_id, by = more.pop("exec_id", "") or self._next("E"), more.pop("by", "")
        for name in (order.session, by) if by else (order.session,):
            self._report(name, order, exec_type, exec_id=exec_id, **more)
        for name in [name for name in self.sessions if not name.endswith(SENDS_ORDERS)]:
            self._report(name, order, exec_type, exec_id=exec_id, **more)

    def _report(
        self,
        session: str,
        order: AtVenue,
        exec_type: str,
        *,
        status: str,
        exec_id: str = "",
        extra: Iterable[Pair] = (),
        name: str = "",
    ) -> None:
        self._send(
            session,
            "8",
            [
                (11, name or order.id),
                (17, exec_id or self._next("S")),
                (150, exec_type),
                (39, status),
                (55, order.symbol),
                (54, order.side),
                (38, str(order.qty)),
                (14, str(order.filled)),
                (60, _utc(self.world.utc_ns())),
                *extra,
            ],
        )

    def _send(self, name: str, msg_type: str, pairs: list[Pair]) -> None:
        session = self.sessions.setdefault(name, Session(name))
        session.sent.append((msg_type, tuple(pairs)))
        if session.connection is not None and session.connection.alive:
            self._deliver(session.connection, len(session.sent))

    def _of(self, session: str, fields: dict[int, str]) -> AtVenue:
        return AtVenue(
            fields[11], session, fields[55], fields[54], int(fields.get(38, "0")), open=False
        )

    def _next(self, letter: str) -> str:
        self._numbers += 1
        return f"{letter}{self._numbers}"


def _utc(at_ns: int) -> str:
    seconds, rest_ns = divmod(at_ns, 1_000_000_000)
    return f"{datetime.fromtimestamp(seconds, UTC):%Y%m%d-%H:%M:%S}.{rest_ns // 1_000:06d}"
