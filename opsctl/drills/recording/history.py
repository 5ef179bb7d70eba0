"""What accounts say of one order, gathered while a recorded run is read."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any, NamedTuple

from apps.core.messages import Decision
from apps.core.records import (
    DecisionTaken,
    DoubtSettled,
    EpochTaken,
    OrdersSent,
    ReportKind,
    ReportSeen,
)
from opsctl.drills.measurement import ms
from opsctl.drills.recording import reading
from opsctl.drills.recording.files import Window
from opsctl.drills.recording.reading import Journaled, VenueLine
from opsctl.drills.recording.story import Doubt, Event, Life
from opsctl.drills.task import Acknowledged

_EXEC_TYPES = {
    "0": "accepted",
    "4": "cancelled",
    "5": "replaced",
    "8": "rejected",
    "A": "pending new",
    "C": "expired",
    "F": "executed",
    "I": "status",
}
_STATES = {
    "0": "new",
    "1": "partially filled",
    "2": "filled",
    "4": "cancelled",
    "8": "rejected",
    "A": "pending new",
    "C": "expired",
}
_UNKNOWN = "8"
"""OrdStatus of a status answer for an order that the venue does not know."""


class _Moment(NamedTuple):
    at_ns: int
    order: int
    event: Event


class History:
    """Gathers what accounts say of one order."""

    def __init__(self, order: str, window: Window) -> None:
        """Begin with nothing."""
        self.moments: list[_Moment] = []
        self._order = order
        self._fault_ns = window.fault_ns
        self._facts: dict[str, Any] = {}
        self._doubts: list[Doubt] = []
        self._waiting = False
        """Journaled, to be sent, and not answered yet."""
        self._outcomes: dict[str, str] = {}

    def say(
        self,
        at_ns: int,
        what: str,
        account: str,
        entry: Journaled | None = None,
        site: str = "",
    ) -> None:
        """Keep what happened at a time; 0 where the account does not say when."""
        event = Event(
            at=_utc(at_ns),
            ms=ms(self._fault_ns, at_ns) if at_ns and self._fault_ns else None,
            account=account,
            site=site,
            epoch=entry.epoch if entry else None,
            index=entry.index if entry else None,
            what=what,
        )
        self.moments.append(_Moment(at_ns or 1 << 63, len(self.moments), event))

    def submitted(self, at_ns: int) -> None:
        """The client decided it."""
        self._facts.setdefault("decided", _utc(at_ns))
        self.say(at_ns, "decided, and submitted to every site", "client")

    def acknowledged(self, line: Acknowledged) -> None:
        """The client was told of it."""
        self._facts["acknowledged"] = _utc(line.at_ns)
        self.say(line.at_ns, f"acknowledged to the client as {line.state}", "client")

    def decided(
        self, entry: Journaled, site: str, record: DecisionTaken, decision: Decision
    ) -> None:
        """The leader judged it, and journaled that."""
        intent = next(one for one in decision.intents if one.id == self._order)
        verdict = next((v for v in record.verdicts if v.intent == self._order), None)
        accepted = verdict is not None and verdict.accepted
        self._waiting = accepted
        self._facts |= {
            "decision": decision.id,
            "symbol": intent.symbol,
            "side": intent.side.value,
            "qty": intent.qty,
            "limit": None if intent.limit is None else str(intent.limit),
            "epoch": entry.epoch,
            "site": site,
        }
        if decision.stamps.decided:
            self._facts["decided"] = _utc(decision.stamps.decided)
        self.say(record.received_ns, "received from the bus", "journal", entry, site)
        reason = (verdict.reason if verdict else "") or record.reason or record.outcome.value
        what = "journaled; risk accepts it" if accepted else f"journaled; refused: {reason}"
        self._outcomes["journal"] = "journaled" if accepted else f"refused: {reason}"
        # The record itself bears no later time; that of its append comes with what was sent.
        self.say(record.received_ns, what, "journal", entry, site)

    def sent(self, entry: Journaled, site: str, record: OrdersSent) -> None:
        """It was written to a session."""
        at_ns = record.at_ns[self._order]
        self._facts["sent"] = _utc(at_ns)
        if record.journaled_ns:
            self._facts.setdefault("journaled", _utc(record.journaled_ns))
            self.say(record.journaled_ns, "the journal has confirmed it", "journal", entry, site)
        self.say(at_ns, f"sent on {record.session}", "journal", entry, site)

    def epoch(self, entry: Journaled, record: EpochTaken) -> None:
        """Another epoch began: what was not answered is in doubt."""
        if self._waiting:
            self.doubted(record.at_ns, f"epoch {record.epoch} began while it was unanswered")
            what = f"in doubt: {record.site} took epoch {record.epoch} while it was unanswered"
            self.say(record.at_ns, what, "journal", entry, record.site)

    def doubted(self, at_ns: int, cause: str) -> None:
        """Nobody knows what the venue made of it, from here."""
        if not self._doubts or self._doubts[-1].settled is not None:
            self._doubts.append(Doubt(opened=_sure(at_ns), cause=cause))

    def stepped(self, entry: Journaled, site: str, record: DoubtSettled) -> None:
        """The venue does not know it, and something was done about that."""
        said = {
            "reenter": "the venue does not know it: entered again under the same id",
            "decline": "the venue does not know it: declined, never to be sent again",
            "hold": "the venue does not know it, which proves nothing: held in doubt",
        }[record.step]
        self.say(record.at_ns, f"{said} ({record.reason})", "journal", entry, site)
        if record.step == "decline":
            self._waiting = False
            self._settle(record.at_ns, f"declined: {record.reason}")

    def reported(self, entry: Journaled, site: str, record: ReportSeen) -> None:
        """The venue told of it, and that was journaled."""
        kind = _EXEC_TYPES.get(record.exec_type, record.kind.value.replace("_", " "))
        state = _STATES.get(record.ord_status, record.ord_status)
        what = f"the venue told {record.session}: {kind}"
        if record.exec_type == "F":
            what += f", {record.last_qty} at {record.last_px} ({record.exec_id})"
        elif record.exec_type == "I":
            what += f", {state}" if record.ord_status != _UNKNOWN else ", unknown or rejected"
        if record.text:
            what += f" ({record.text})"
        self.say(record.received_ns, what, "journal", entry, site)
        unknown = record.exec_type == "I" and record.ord_status == _UNKNOWN
        if record.kind is ReportKind.EXECUTION and not unknown:
            self._waiting = False
            self._outcomes["journal"] = state
            self._settle(record.received_ns, f"the venue told: {kind}, {state}")

    def venue(self, row: VenueLine) -> None:
        """A line of the venue's own record is about it."""
        what = {"accept": "accepted", "reject": "rejected"}.get(row.kind, row.kind)
        if row.kind == "execution":
            what = f"executed {row.qty} at {row.price} ({row.exec_id})"
            self._facts["filled"] = _utc(row.at_ns)
            self._outcomes["venue"] = "filled" if row.leaves_qty == 0 else "partially filled"
        elif row.kind == "accept":
            self._facts["accepted"] = _utc(row.at_ns)
            self._outcomes["venue"] = "new"
        elif row.kind in ("cancel", "expire", "reject"):
            duplicate = row.reason == "duplicate"
            if not duplicate:
                self._outcomes["venue"] = row.kind
        if row.reason:
            what += f": {row.reason}"
        self.say(row.at_ns, f"{what} on {row.session}", "venue")

    def drop_copy(self, site: str, told: reading.Told) -> None:
        """A drop copy told of an execution of it."""
        what = f"told of execution {told.exec_id}: {told.qty} at {told.price}"
        sent = reading.tags_of(told.fix).get("52", "")
        self.say(_fix_time(sent), what, f"drop copy {site}", site=site)

    def booked(self, site: str, row: reading.BookRow) -> None:
        """The books have a row of it."""
        if row.table == "orders":
            self._outcomes[f"books {site}"] = row.state
            what = f"order {row.state}, {row.cum_qty} filled, as of record {row.journal_index}"
        else:
            what = f"fill {row.exec_id}: {row.qty} at {row.price}, by record {row.journal_index}"
        self.say(0, what, f"books {site}", site=site)

    def life(self, run: str) -> Life:
        """Return what was gathered, in the order of its times."""
        said = self._outcomes
        known = [state for name, state in sorted(said.items()) if name.startswith("books")]
        outcome = next(iter([*known, said.get("venue", ""), said.get("journal", "")]), "")
        events = tuple(moment.event for moment in sorted(self.moments, key=lambda m: m[:2]))
        return Life(
            run=run,
            order=self._order,
            outcome=outcome or said.get("venue") or said.get("journal") or "submitted only",
            doubts=tuple(self._doubts),
            events=events,
            **self._facts,
        )

    def _settle(self, at_ns: int, how: str) -> None:
        if self._doubts and self._doubts[-1].settled is None:
            last = self._doubts[-1]
            settled = last.model_copy(update={"settled": _sure(at_ns), "how": how})
            self._doubts[-1] = settled


def _fix_time(text: str) -> int:
    """Return a UTCTimestamp of FIX in nanoseconds, to the microsecond; 0 where it is none."""
    form = "%Y%m%d-%H:%M:%S.%f" if "." in text else "%Y%m%d-%H:%M:%S"
    try:
        at = datetime.strptime(text[:24], form).replace(tzinfo=UTC)
    except ValueError:
        return 0
    return round(at.timestamp() * 1e6) * 1_000


def _sure(at_ns: int) -> datetime:
    return datetime.fromtimestamp(at_ns // 1_000 / 1e6, UTC)


def _utc(at_ns: int) -> datetime | None:
    return _sure(at_ns) if at_ns else None
