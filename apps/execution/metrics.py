"""What execution and the projector tell Prometheus."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

_BUCKETS_S = (
    *(0.0005, 0.001, 0.0015, 0.002, 0.003, 0.005, 0.0075, 0.01),
    *(0.02, 0.035, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5),
)

TICK_TO_ORDER = Histogram(
    "trading_tick_to_order_seconds",
    "From market data in to the order written to its session",
    buckets=_BUCKETS_S,
)
RECEIVED_TO_SENT = Histogram(
    "trading_received_to_sent_seconds",
    "From the decision's arrival at execution to the order written to its session",
    buckets=_BUCKETS_S,
)
JOURNAL_APPEND = Histogram(
    "trading_journal_append_seconds",
    "One append to the journal, until it is durable",
    buckets=_BUCKETS_S,
)
JOURNAL_RECORDS = Counter("trading_journal_records_total", "Records appended to the journal")
JOURNAL_FAILURES = Counter(
    "trading_journal_failures_total", "Writes to the journal that were refused or not answered"
)
JOURNAL_WRITABLE = Gauge(
    "trading_journal_writable",
    "1 while the journal takes writes: as the leader's are confirmed, or a follower hears of them",
)
JOURNAL_ROOM = Counter(
    "trading_journal_room_made_total", "Times that a full journal was given room", ["result"]
)
JOURNAL_INDEX = Gauge("trading_journal_index", "Index of the last journaled record")
EPOCH = Gauge("trading_epoch", "The epoch that this process leads")
LEADING = Gauge("trading_leading", "1 while this process leads the order path")
AWAITS_ORDER = Gauge(
    "trading_awaits_failover",
    "1 while the leader is silent, and this process leads as soon as somebody orders it",
)
TAKEOVERS = Counter("trading_takeovers_total", "Leaderships won by this process", ["how"])
STANDS_ASIDE = Gauge(
    "trading_stands_aside",
    "1 while this process takes no part because of what it finds in the journal",
    ["why"],
)
HALTED = Gauge("trading_halted", "1 while the kill switch is on")
IN_DOUBT = Gauge("trading_orders_in_doubt", "Orders that may be at the venue, unanswered")
OPEN_ORDERS = Gauge("trading_orders_open", "Orders that are not settled")
SESSION_UP = Gauge("trading_fix_session_up", "1 while a FIX session is logged on", ["session"])
CLOCK_OFFSET = Gauge(
    "trading_clock_offset_seconds", "By how much another site's clock is ahead of ours", ["peer"]
)
BUS_UP = Gauge("trading_bus_up", "1 while the bus of this site answers")
REFUSED = Counter(
    "trading_venue_refusals_total",
    "What the venue refused: orders and cancels, by its throttle, as duplicates",
    ["what"],
)
REPEATED = Counter(
    "trading_reports_repeated_total", "Messages that the venue sent again (PossDup)", ["session"]
)
DECISIONS = Counter("trading_decisions_taken_total", "Decisions taken", ["outcome"])
INTENTS = Counter("trading_intents_judged_total", "Verdicts of pre-trade risk", ["verdict"])
ORDERS_SENT = Counter("trading_orders_sent_total", "Orders written to a session")
ORDERS_WITHHELD = Counter("trading_orders_withheld_total", "Journaled orders not sent")
REPORTS = Counter("trading_reports_total", "Reports of the venue", ["session"])
UNJOURNALED_CANCELS = Counter(
    "trading_unjournaled_cancels_total", "Cancels sent without the journal, on request"
)
FILLS = Counter("trading_fills_total", "Executions booked")
DIVERGENCES = Counter(
    "trading_divergences_total", "Other content that arrived under a known decision id"
)
ALARMS = Counter("trading_alarms_total", "What should not happen on the order path", ["kind"])
UNREADABLE = Counter("trading_unreadable_messages_total", "Messages not understood", ["source"])

PROJECTOR_LAG = Gauge(
    "trading_projector_lag_records", "Journaled records that the books do not hold yet"
)
BOOKS_UP = Gauge("trading_books_up", "1 while the books take what is journaled")
PROJECTED = Counter("trading_projected_records_total", "Records applied to the books")
