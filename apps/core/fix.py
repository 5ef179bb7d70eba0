"""FIX sessions on QuickFIX: the engine's threads only enqueue, one loop does the work.

Facts that this module is built on (measured): an exception that leaves a callback stops
the engine silently; a `Message` kept beyond its callback crashes the process; typed field
access costs 25 us against 1 us for integers and strings; `sendToTarget` answers True
while logged out, and what it queued then leaves at the next logon; a reconnect re-sends
stale orders unless `toApp` raises `DoNotSend`; without a data dictionary the engine
sorts a message's fields, which scrambles repeating groups; an initiator that reads its store
anew as it dials (RefreshOnLogon) never dials a session again whose store could not be written
just then, and a store that could not be written takes nothing more until it is read anew.
"""

from __future__ import annotations

import asyncio
import contextlib
import sys
import time
from collections.abc import Callable, Iterable, Sequence
from collections.abc import Set as AbstractSet
from enum import StrEnum
from pathlib import Path
from typing import Any

import quickfix
import structlog

from apps.core.fix_callbacks import Acceptor, Initiator
from apps.core.fix_messages import SOH as SOH
from apps.core.fix_messages import Event as Event
from apps.core.fix_messages import Logon as Logon
from apps.core.fix_messages import Logout as Logout
from apps.core.fix_messages import Pair as Pair
from apps.core.fix_messages import Received as Received
from apps.core.fix_messages import Tag as Tag
from apps.core.fix_messages import compose as compose
from apps.core.fix_messages import parse as parse

log = structlog.get_logger()


def _dictionary() -> Path:
    """Return where the QuickFIX package lays the data dictionary of FIX 4.4.

    Under the prefix of the interpreter, or beside the module where that was installed into a
    folder of its own, as in an image.
    """
    beside = Path(quickfix.__file__).parent / "share" / "quickfix" / "FIX44.xml"
    return beside if beside.exists() else Path(sys.prefix) / "share" / "quickfix" / "FIX44.xml"


DICTIONARY = _dictionary()
GROUPED = frozenset("VWX")
"""MarketDataRequest, snapshot and incremental refresh: messages with repeating groups."""

DIAL_S = 1
"""How often a session that is down is dialled."""
STALE_S = 2.0
"""How often is looked for sessions that stay down."""
NEVER_S = 1_000_000_000
"""Longer than any process lives."""
LOGOUT_S = 1.0
"""How long an acceptor waits for its counterparties to answer the Logout."""


class Purpose(StrEnum):
    """What a session is for; the firm has one of each for every site.

    A venue that allows one order session only has one `OPS-ORD` for all sites.
    """

    ORDERS = "ORD"
    DROP_COPY = "DROP"
    MARKET_DATA = "MD"


def comp_id(site: str, purpose: Purpose, *, single: bool = False) -> str:
    """Return the firm's CompID of a session: `OPS-A-ORD`.

    With `single` all sites share one order session, `OPS-ORD`; the others stay per site.
    """
    if single and purpose is Purpose.ORDERS:
        return f"OPS-{purpose.value}"
    return f"OPS-{site.upper()}-{purpose.value}"


def sessions(sites: Iterable[str], *, single: bool = False) -> list[str]:
    """Return the CompIDs of all sessions of the firm, each once."""
    names = (comp_id(site, purpose, single=single) for site in sites for purpose in Purpose)
    return list(dict.fromkeys(names))


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
        redial: bool = True,
    ) -> None:
        """Prepare sessions between every CompID of `own` and of `peers`; `start` opens them.

        `role` is "initiator" or "acceptor". `password` is sent with (or asked of) every
        Logon. Events are delivered on the running loop, in order. Without `redial` an
        initiator dials once and never again by itself.
        """
        store.mkdir(parents=True, exist_ok=True)
        self._acceptor = role == "acceptor"
        self._redials = redial and not self._acceptor
        self._down: AbstractSet[str] = set()
        """Sessions that were down when they were last looked at."""
        self._pairs = {
            (peer if self._acceptor else mine): (mine, peer) for mine in own for peer in peers
        }
        self._ids: dict[str, Any] = {
            firm: quickfix.SessionID("FIX.4.4", mine, peer)
            for firm, (mine, peer) in self._pairs.items()
        }
        config = store / "sessions.cfg"
        config.write_text(
            self._config(host, port, store, heartbeat_s, reset_on_logon, redial),
            encoding="utf-8",
        )
        self._settings = quickfix.SessionSettings(str(config))
        self._dictionary = quickfix.DataDictionary(str(DICTIONARY))
        callbacks = Acceptor if self._acceptor else Initiator
        self._application = callbacks(asyncio.get_running_loop(), on_event, password)
        self._factory = quickfix.FileStoreFactory(self._settings)
        kind = quickfix.SocketAcceptor if self._acceptor else quickfix.SocketInitiator
        self._engine = kind(self._application, self._factory, self._settings)

    def _config(
        self,
        host: str,
        port: int,
        store: Path,
        heartbeat_s: int,
        reset_on_logon: bool,
        redial: bool,
    ) -> str:
        default = {
            "ConnectionType": "acceptor" if self._acceptor else "initiator",
            "BeginString": "FIX.4.4",
            "NonStopSession": "Y",  # numbers are not begun anew at midnight: journals hold them
            "HeartBtInt": heartbeat_s,
            "ReconnectInterval": DIAL_S if redial else NEVER_S,
            "SocketNodelay": "Y",
            "SocketReuseAddress": "Y",
            "FileStorePath": store,
            "DataDictionary": DICTIONARY,
            "ValidateUserDefinedFields": "N",
            "ValidateFieldsOutOfOrder": "N",
            "AllowUnknownMsgFields": "Y",
            "TimestampPrecision": 6,
            "ResetOnLogon": "Y" if reset_on_logon else "N",
            "RefreshOnLogon": "N" if self._redials else "Y",
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
        if self._redials:
            self._tend()

    def _tend(self) -> None:
        """Read the stores of sessions that stay down anew, again and again, until `stop`.

        A disk that was full leaves a store in error, and no logon could be sent. It takes as
        long as the store is large, so that the loop does not wait for it.
        """
        if not self._redials:
            return
        loop = asyncio.get_running_loop()
        up = {name for name in self._ids if self.logged_on(name)}
        if stale := self._down - up:
            loop.run_in_executor(None, self._read_anew, stale)
        self._down = self._ids.keys() - up
        loop.call_later(STALE_S, self._tend)

    def _read_anew(self, sessions: Iterable[str]) -> None:
        for name in sessions:
            found = quickfix.Session.lookupSession(self._ids[name])
            # What cannot be written yet is tried again; numbers that are lost, the venue tells.
            with contextlib.suppress(quickfix.IOException, RuntimeError):
                if found and not found.isLoggedOn():
                    found.refresh()

    def log_out(self, session: str, why: str) -> None:
        """Tell the counterparty of a logged-on session that it is logged out.

        The connection stays; who calls this cuts it, without waiting for an answer.
        """
        if self.logged_on(session):
            self.tell([session], "5", [(58, why)])

    def stop(self) -> None:
        """Log out and close, waiting for the engine's threads.

        An acceptor only logs its sessions out: its own `stop` closes sockets under the feet
        of its thread and now and then ends in SIGSEGV. The process that holds it leaves by
        `apps.core.app.leave`, without waiting for that thread.
        """
        self._redials = False
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

    def next_outbound(self, session: str) -> int:
        """Return the MsgSeqNum that the next message of a session will bear."""
        found = quickfix.Session.lookupSession(self._ids[session])
        return int(found.getExpectedSenderNum())

    def skip_to(self, session: str, outbound: int) -> None:
        """Set the next outbound MsgSeqNum of a session that is not logged on.

        Who takes a CompID over from another process does not know its last number: it
        chooses one that is surely higher, and the engine answers the counterparty's
        ResendRequest for what lies between with a gap fill.
        """
        found = quickfix.Session.lookupSession(self._ids[session])
        found.setNextSenderMsgSeqNum(outbound)

    def send(
        self, session: str, msg_type: str, pairs: Iterable[Pair], *, stored: bool = False
    ) -> bool:
        """Write a message to a logged-on session; return False (nothing sent) where it is not.

        With `stored` a message for a logged-out session goes into the engine's store, and
        reaches the counterparty by ResendRequest when it is back: for reports, never orders.
        """
        if not stored and not self.logged_on(session):
            return False
        message = self._message(msg_type, pairs)
        return bool(quickfix.Session.sendToTarget(message, self._ids[session]))

    def tell(self, sessions: Iterable[str], msg_type: str, pairs: Iterable[Pair]) -> None:
        """Send one message to several sessions, each `stored` as `send` has it."""
        message = self._message(msg_type, pairs)
        for session in sessions:  # the engine writes each one's own header over the former
            quickfix.Session.sendToTarget(message, self._ids[session])

    def _message(self, msg_type: str, pairs: Iterable[Pair]) -> Any:
        raw = compose(msg_type, pairs)
        if msg_type in GROUPED:
            return quickfix.Message(raw, self._dictionary, False)
        return quickfix.Message(raw, False)
