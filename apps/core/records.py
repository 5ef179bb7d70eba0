"""The journal's records: what happened on the order path, in the order in which it counts.

A record is a fact that was decided or seen by the leader, never a derived state: state
comes from applying records in order, and so do the books. Every record carries `v`, the
version of its form; a release reads its predecessor's. Times are UTC nanoseconds,
quantities whole shares, prices Decimal.
"""

from __future__ import annotations

from decimal import Decimal
from enum import StrEnum
from typing import Literal

import msgspec

from apps.core.messages import Decision, Side

VERSION = 1
"""The newest form of batches and records that this release writes and reads."""


class Record(msgspec.Struct, frozen=True, kw_only=True, tag_field="type", omit_defaults=True):
    """The base of every record."""

    v: int = VERSION


class EpochTaken(Record, frozen=True, kw_only=True, tag="epoch"):
    """A process became the leader. Whatever the venue has not answered is in doubt from here.

    `capital_usd` is what the platform starts with; a later epoch with another figure is a
    deposit or a withdrawal of the difference.
    """

    epoch: int
    owner: str
    site: str
    capital_usd: Decimal
    at_ns: int
    session: str = ""
    """The order session of the site; empty in what was written before it was told."""


class Verdict(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """What pre-trade risk said about one intent; `reason` is set exactly where it refused."""

    intent: str
    accepted: bool
    reason: str = ""


class Outcome(StrEnum):
    """What became of a decision when it arrived."""

    ACCEPTED = "accepted"
    """At least one intent may be sent, or there was none to send."""
    REFUSED = "refused"
    EXPIRED = "expired"


class DecisionTaken(Record, frozen=True, kw_only=True, tag="decision"):
    """A decision arrived, with the verdict of risk on each intent.

    `source` is its id on the bus, `digest` the content that it was judged by. Only intents
    whose verdict accepts become orders.
    """

    decision: Decision
    digest: str
    source: str
    outcome: Outcome
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()
    received_ns: int


class DivergenceSeen(Record, frozen=True, kw_only=True, tag="divergence"):
    """Another content arrived under a known decision id; it was not acted on."""

    decision: str
    seq: int
    digest: str
    source: str
    at_ns: int


class OrdersSent(Record, frozen=True, kw_only=True, tag="sent"):
    """Requests were written to a logged-on session; order id -> UTC nanoseconds.

    Tells latency, not truth: an order without it may have left all the same.
    """

    session: str
    journaled_ns: int
    at_ns: dict[str, int]


class SessionSeen(Record, frozen=True, kw_only=True, tag="session"):
    """A session logged on, went away, or carried messages that changed nothing.

    `seq` is the last inbound MsgSeqNum whose message is accounted for in the journal.
    """

    session: str
    event: Literal["logon", "logout", "progress"]
    seq: int = 0
    at_ns: int


class ReportKind(StrEnum):
    """Which message a report was."""

    EXECUTION = "execution"
    """ExecutionReport (8)."""
    CANCEL_REJECT = "cancel_reject"
    """OrderCancelReject (9)."""
    REJECT = "reject"
    """A request that the venue could not process: BusinessMessageReject (j)."""


class ReportSeen(Record, frozen=True, kw_only=True, tag="report"):
    """A report of the venue: its raw essentials, and where on which session it came.

    An execution is keyed (venue, day, exec_id, side). `exec_type`, `ord_status` are FIX 150
    and 39, `reason_code` is 103 or 102, `day` TradeDate (75) as ISO date.
    """

    session: str
    seq: int
    kind: ReportKind
    venue: str
    received_ns: int
    order: str
    """The order it is about: OrigClOrdID where there is one, else ClOrdID."""
    exec_id: str = ""
    exec_type: str = ""
    ord_status: str = ""
    day: str = ""
    symbol: str = ""
    side: Side | None = None
    qty: int = 0
    cum_qty: int = 0
    last_qty: int = 0
    last_px: Decimal = Decimal(0)
    reason_code: int | None = None
    text: str = ""
    at_ns: int = 0
    asked: int = 0
    """Of a status: how often the order had been entered when it was asked for; 0 where the
    venue does not say."""
    refused: str = ""
    """Of a reject: the type (372) of the request that the venue did not take."""
    throttled: bool = False
    """Of a reject: the request came too soon after others; nothing was done, and it may be
    made again."""


class DoubtOpened(Record, frozen=True, kw_only=True, tag="doubt_opened"):
    """These orders were sent, or may have been, and the venue has not answered.

    `session` is the one that is down, or was since they were sent.
    """

    orders: tuple[str, ...]
    cause: Literal["disconnect", "silence"]
    at_ns: int
    session: str = ""
    """Empty: as a release before it was told, the one that each order was sent on first."""


class DoubtSettled(Record, frozen=True, kw_only=True, tag="doubt_settled"):
    """What was done about an order that the venue does not know.

    `reenter`: sent again under the same ClOrdID, after this record. `decline`: never to be
    sent again, and the session it may have left on is gone, so it cannot arrive. `hold`:
    nothing proves its absence; it stays in doubt with its exposure reserved.
    """

    order: str
    step: Literal["reenter", "decline", "hold"]
    reason: str
    at_ns: int


class OrdersWithheld(Record, frozen=True, kw_only=True, tag="withheld"):
    """Journaled orders that the gateway did not send: order id -> why."""

    reasons: dict[str, str]
    at_ns: int


class CancelsRequested(Record, frozen=True, kw_only=True, tag="cancels"):
    """Open orders are to be cancelled: order id -> ClOrdID of the OrderCancelRequest."""

    cancels: dict[str, str]
    cause: Literal["halt", "late", "repeat"]
    """`late`: accepted after it was declined. `repeat`: the session was cut meanwhile."""
    at_ns: int


class HaltSeen(Record, frozen=True, kw_only=True, tag="halt"):
    """The leader saw the kill switch change; `revision` is the store's."""

    halted: bool
    by: str = ""
    reason: str = ""
    revision: int = 0
    at_ns: int


JournalRecord = (
    EpochTaken
    | DecisionTaken
    | DivergenceSeen
    | OrdersSent
    | SessionSeen
    | ReportSeen
    | DoubtOpened
    | DoubtSettled
    | OrdersWithheld
    | CancelsRequested
    | HaltSeen
)


class Batch(msgspec.Struct, frozen=True, kw_only=True):
    """What one transaction appends: records `first` … `last` of the journal.

    `epoch` and `writer` make its bytes the writer's own, so that a writer whose append had
    an unknown outcome recognises it.
    """

    v: int = VERSION
    first: int
    epoch: int
    writer: str
    records: tuple[JournalRecord, ...]

    @property
    def last(self) -> int:
        """Return the index of the last record."""
        return self.first + len(self.records) - 1


class UnknownVersion(Exception):
    """A newer release wrote this; an older one must not guess at it."""


_encoder = msgspec.json.Encoder(decimal_format="string")
_decoder = msgspec.json.Decoder(Batch)


class _Version(msgspec.Struct):
    v: int = VERSION


_version = msgspec.json.Decoder(_Version)


def encode_batch(batch: Batch) -> bytes:
    """Return a batch as JSON."""
    return _encoder.encode(batch)


def decode_batch(raw: bytes) -> Batch:
    """Return the batch that `raw` holds; `UnknownVersion` where a newer release wrote it."""
    found = _version.decode(raw).v
    if found > VERSION:
        raise UnknownVersion(f"batch of version {found}; this release reads up to {VERSION}")
    return _decoder.decode(raw)
