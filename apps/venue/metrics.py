"""What the venue counts and measures."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

LINES = Counter("trading_venue_lines_total", "Lines written to the record", ["kind"])
REFUSED = Counter("trading_venue_refused_total", "Orders and requests refused", ["reason"])
SHARES = Counter("trading_venue_traded_shares_total", "Shares that the firm traded")
MESSAGES = Counter("trading_venue_messages_total", "FIX messages received", ["type"])
RESENT = Counter("trading_venue_resent_reports_total", "Reports that a dead process left unsent")
UNQUOTED = Counter("trading_venue_unquoted_closes_total", "Closes that no quote can be made of")
HANDLING = Histogram(
    "trading_venue_handling_seconds",
    "From a message's arrival to the hand-over of its reports to the FIX engine",
    buckets=(0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.5, 1.0),
)
SEQ = Gauge("trading_venue_seq", "Market-data sequence of the trading day")
TAPE_ENDED = Gauge("trading_venue_tape_ended", "1 at the last day of the tape")
OPEN_ORDERS = Gauge("trading_venue_open_orders", "Orders that can still trade")
SESSIONS = Gauge("trading_venue_logged_on", "1 while a FIX session is logged on", ["session"])
SUBSCRIBERS = Gauge("trading_venue_subscribers", "Sessions that take market data")
RECORD_BYTES = Gauge("trading_venue_record_bytes", "Size of the record")
EVICTED = Counter(
    "trading_venue_evictions_total", "Connections put out by a second logon", ["session"]
)
THROTTLED = Counter("trading_venue_throttled_total", "Requests beyond the throttle", ["session"])
