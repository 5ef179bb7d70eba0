"""FIX sessions on QuickFIX: the engine's threads only enqueue, one loop does the work.

Facts that this module is built on (measured): an exception that leaves a callback stops
the engine silently; a `Message` kept beyond its callback crashes the process; typed field
access costs 25 us against 1 us for integers and strings; `sendToTarget` answers True
while logged out, and what it queued then leaves at the next logon; a reconnect re-sends
stale orders unless `toApp` raises `DoNotSend`; without a data dictionary the engine
sorts a message's fields, which scrambles repeating groups.
"""

from __future__ import annotations

import asyncio
import hmac
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path
from typing import Any

import quickfix
import structlog

log = structlog.get_logger()

SOH = "\x01"
Pair = tuple[int, str]
NEVER_RESENT = frozenset("DFG")
"""NewOrderSingle, cancel and replace: the session layer gap-fills them instead of re-sending."""


DICTIONARY = Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"
"""Where the QuickFIX package lays the data dictionary of FIX 4.4."""
GROUPED = frozenset("VWX")
"""MarketDataRequest, snapshot and incremental refresh: messages with repeating groups."""

LOGOUT_S = 1.0
"""How long an acceptor waits for its counterparties to answer the Logout."""

USER_DEFINED = 5_000
"""Tags from here on are the venue's own, and never part of a repeating group."""


class Tag:
    """The venue's own tags, on its market-data messages."""

    FROM_SEQ = 5001
    """MarketDataRequest: the first market-data sequence wanted."""
    SEQ = 5002
    """X: the market-data sequence of the replayed day."""
    RELEASE_SEQ = 5003
    """MarketDataRequest at replay speed 0: this day is settled, send the next."""
    RECORD = 5004
    """Reports of the venue: the line of its record that this one tells of."""


class Purpose(StrEnum):
    """What a session is for; the firm has one of each for every site."""

    ORDERS = "ORD"
    DROP_COPY = "DROP"
    MARKET_DATA = "MD"


def comp_id(site: str, purpose: Purpose) -> str:
    """Return the firm's CompID of a session: `OPS-A-ORD`."""
    return f"OPS-{site.upper()}-{purpose.value}"


def sessions(sites: Iterable[str]) -> list[str]:
    """Return the CompIDs of all sessions of the firm."""
    return [comp_id(site, purpose) for site in sites for purpose in Purpose]


@dataclass(frozen=True, slots=True)
class Logon:
    """A session is logged on."""

    session: str


@dataclass(frozen=True, slots=True)
class Logout:
    """A session is logged out or its connection is gone."""

    session: str


@dataclass(frozen=True, slots=True)
class Received:
    """A message of a session, copied out of the engine.

    `session` is the firm's CompID (the counterparty's for an acceptor, ours for an
    initiator), `seq` MsgSeqNum, `pairs` the fields in their order, header included.
    """

    session: str
    msg_type: str
    seq: int
    poss_dup: bool
    pairs: tuple[Pair, ...]

    def get(self, tag: int, default: str = "") -> str:
        """Return the first value of a tag."""
        return next((value for found, value in self.pairs if found == tag), default)

    def fields(self) -> dict[int, str]:
        """Return the first value of every tag."""
        return dict(reversed(self.pairs))

    def group(self, count: int, first: int) -> list[dict[int, str]]:
        """Return the entries of a repeating group: `count` is its NoXxx tag, `first` its first."""
        entries: list[dict[int, str]] = []
        inside = False
        for tag, value in self.pairs:
            if tag == count:
                inside = True
            elif inside and tag == first:
                entries.append({tag: value})
            elif entries and tag != 10 and tag < USER_DEFINED:
                entries[-1].setdefault(tag, value)
        return entries


Event = Logon | Logout | Received


def parse(raw: str) -> tuple[Pair, ...]:
    """Return the fields of a raw message in their order."""
    pairs = (field.partition("=") for field in raw.split(SOH) if field)
    return tuple((int(tag), value) for tag, _, value in pairs)


def compose(msg_type: str, pairs: Iterable[Pair]) -> str:
    """Return a raw message of a type; the engine adds the session's header when it sends."""
    body = f"35={msg_type}{SOH}" + "".join(f"{tag}={value}{SOH}" for tag, value in pairs)
    head = f"8=FIX.4.4{SOH}9={len(body)}{SOH}{body}"
    return f"{head}10={sum(head.encode()) % 256:03d}{SOH}"


class Engine:
    """A QuickFIX initiator or acceptor; events arrive on the loop that made it."""

    def __init__(
        self,
        *,
        role: str,
        own: Sequence[str],
        peers: Sequence[str],
        host: str,
        port: int,
        store: Path,
        password: str,
        on_event: Callable[[Event], None],
        heartbeat_s: int = 5,
        reset_on_logon: bool = False,
    ) -> None:
        """Prepare sessions between every CompID of `own` and of `peers`; `start` opens them.

        `role` is "initiator" or "acceptor". `password` is sent with (or asked of) every
        Logon. Events are delivered on the running loop, in order.
        """
        store.mkdir(parents=True, exist_ok=True)
        self._acceptor = role == "acceptor"
        self._pairs = {
            (peer if self._acceptor else mine): (mine, peer) for mine in own for peer in peers
        }
        self._ids: dict[str, Any] = {
            firm: quickfix.SessionID("FIX.4.4", mine, peer)
            for firm, (mine, peer) in self._pairs.items()
        }
        config = store / "sessions.cfg"
        config.write_text(
            self._config(host, port, store, heartbeat_s, reset_on_logon), encoding="utf-8"
        )
        self._settings = quickfix.SessionSettings(str(config))
        self._dictionary = quickfix.DataDictionary(str(DICTIONARY))
        self._application = _Callbacks(
            asyncio.get_running_loop(), on_event, password, self._acceptor
        )
        self._factory = quickfix.FileStoreFactory(self._settings)
        kind = quickfix.SocketAcceptor if self._acceptor else quickfix.SocketInitiator
        self._engine = kind(self._application, self._factory, self._settings)

    def _config(
        self, host: str, port: int, store: Path, heartbeat_s: int, reset_on_logon: bool
    ) -> str:
        default = {
            "ConnectionType": "acceptor" if self._acceptor else "initiator",
            "BeginString": "FIX.4.4",
            "StartTime": "00:00:00",
            "EndTime": "00:00:00",
            "HeartBtInt": heartbeat_s,
            "ReconnectInterval": 1,
            "SocketNodelay": "Y",
            "SocketReuseAddress": "Y",
            "FileStorePath": store,
            "DataDictionary": DICTIONARY,
            "ValidateUserDefinedFields": "N",
            "ValidateFieldsOutOfOrder": "N",
            "AllowUnknownMsgFields": "Y",
            "TimestampPrecision": 6,
            "ResetOnLogon": "Y" if reset_on_logon else "N",
            "RefreshOnLogon": "Y",
            "CheckLatency": "N",
        }
        if self._acceptor:
            default |= {"SocketAcceptHost": host, "SocketAcceptPort": port}
        else:
            default |= {"SocketConnectHost": host, "SocketConnectPort": port}
        lines = ["[DEFAULT]", *(f"{key}={value}" for key, value in default.items())]
        for mine, peer in self._pairs.values():
            lines += ["[SESSION]", f"SenderCompID={mine}", f"TargetCompID={peer}"]
            if self._acceptor and peer.endswith(Purpose.MARKET_DATA):
                lines.append("ResetOnLogon=Y")
        return "\n".join(lines) + "\n"

    def start(self) -> None:
        """Open the sessions; raise RuntimeError where the engine cannot (a port in use)."""
        try:
            self._engine.start()
        except (quickfix.ConfigError, quickfix.RuntimeError) as fault:
            raise RuntimeError(str(fault)) from fault

    def stop(self) -> None:
        """Log out and close, waiting for the engine's threads.

        An acceptor only logs its sessions out: its own `stop` closes sockets under the feet
        of its thread and now and then ends in SIGSEGV. The process that holds it leaves by
        `apps.core.app.leave`, without waiting for that thread.
        """
        if not self._acceptor:
            self._engine.stop()
            return
        for session in self._ids.values():
            found = quickfix.Session.lookupSession(session)
            if found:
                found.logout("the venue closes")
        deadline = time.monotonic() + LOGOUT_S
        while any(map(self.logged_on, self._ids)) and time.monotonic() < deadline:
            time.sleep(0.01)

    def forget(self) -> None:
        """Let go of the sessions after `stop`; the process may then open them anew."""
        del self._engine

    def logged_on(self, session: str) -> bool:
        """Return whether a session can carry a message now."""
        found = quickfix.Session.lookupSession(self._ids[session])
        return bool(found and found.isLoggedOn())

    def expect(self, session: str, inbound: int) -> None:
        """Set the next inbound MsgSeqNum of a session that is not logged on.

        The engine's own store counts a message as received when the callback returns,
        which is before it is journaled; the journal's number is the true one.
        """
        found = quickfix.Session.lookupSession(self._ids[session])
        found.setNextTargetMsgSeqNum(inbound)

    def next_inbound(self, session: str) -> int:
        """Return the inbound MsgSeqNum that the engine expects next."""
        found = quickfix.Session.lookupSession(self._ids[session])
        return int(found.getExpectedTargetNum())

    def send(
        self, session: str, msg_type: str, pairs: Iterable[Pair], *, stored: bool = False
    ) -> bool:
        """Write a message to a logged-on session; return False (nothing sent) where it is not.

        With `stored` a message for a logged-out session goes into the engine's store, and
        reaches the counterparty by ResendRequest when it is back: for reports, never orders.
        """
        if not stored and not self.logged_on(session):
            return False
        raw = compose(msg_type, pairs)
        message = (
            quickfix.Message(raw, self._dictionary, False)
            if msg_type in GROUPED
            else quickfix.Message(raw, False)
        )
        return bool(quickfix.Session.sendToTarget(message, self._ids[session]))


class _Callbacks(quickfix.Application):  # type: ignore[misc]
    """Copies out of the engine's threads, and lets nothing escape into them."""

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        on_event: Callable[[Event], None],
        password: str,
        acceptor: bool,
    ) -> None:
        super().__init__()
        self._loop = loop
        self._on_event = on_event
        self._password = password
        self._acceptor = acceptor

    def _firm(self, session: Any) -> str:
        name = session.getTargetCompID() if self._acceptor else session.getSenderCompID()
        return str(name.getValue() if hasattr(name, "getValue") else name)

    def _post(self, event: Event) -> None:
        try:
            self._loop.call_soon_threadsafe(self._on_event, event)
        except RuntimeError:  # the loop is closed: the process is on its way out
            log.warning("event after the end", event_type=type(event).__name__)

    def onCreate(self, session: Any) -> None:  # noqa: N802 - the engine's name
        """A session was made."""

    def onLogon(self, session: Any) -> None:  # noqa: N802
        """A session is logged on."""
        self._post(Logon(self._firm(session)))

    def onLogout(self, session: Any) -> None:  # noqa: N802
        """A session is logged out, or was never logged on."""
        self._post(Logout(self._firm(session)))

    def toAdmin(self, message: Any, session: Any) -> None:  # noqa: N802
        """Add the password to our Logon."""
        if not self._acceptor and message.getHeader().getField(35) == "A":
            message.setField(554, self._password)

    def fromAdmin(self, message: Any, session: Any) -> None:  # noqa: N802
        """Check the password of a Logon; report session-level rejects."""
        kind = message.getHeader().getField(35)
        if self._acceptor and kind == "A":
            given = message.getField(554) if message.isSetField(554) else ""
            if not hmac.compare_digest(given.encode(), self._password.encode()):
                log.warning("logon refused", session=self._firm(session), reason="wrong password")
                raise quickfix.RejectLogon("wrong password")
        elif kind == "3":
            self._deliver(message, session)

    def toApp(self, message: Any, session: Any) -> None:  # noqa: N802
        """Keep stale orders from being re-sent by the session layer."""
        header = message.getHeader()
        if header.isSetField(43) and header.getField(35) in NEVER_RESENT:
            raise quickfix.DoNotSend

    def fromApp(self, message: Any, session: Any) -> None:  # noqa: N802
        """Enqueue a message."""
        self._deliver(message, session)

    def _deliver(self, message: Any, session: Any) -> None:
        try:
            pairs = parse(message.toString())
            head = dict(reversed(pairs))
            self._post(
                Received(
                    session=self._firm(session),
                    msg_type=head[35],
                    seq=int(head[34]),
                    poss_dup=head.get(43) == "Y",
                    pairs=pairs,
                )
            )
        except Exception:
            log.exception("a message was not understood")
