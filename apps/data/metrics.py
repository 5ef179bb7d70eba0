"""What Prometheus reads of the data app."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

STAGE_BUCKETS = (0.0002, 0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5)

DAYS = Counter("trading_md_days_total", "Days received and normalized", ["source"])
PRICES = Counter("trading_md_prices_total", "Closing prices that passed normalization", ["source"])
QUARANTINED = Counter(
    "trading_md_quarantined_total", "Records put in quarantine, by reason", ["reason"]
)
PROBES = Counter("trading_md_probes_total", "Probes published")
PUBLISH_SECONDS = Histogram(
    "trading_md_publish_seconds",
    "From a day's arrival to its publication on the bus",
    buckets=STAGE_BUCKETS,
)
STORE_SECONDS = Histogram(
    "trading_md_store_seconds",
    "From a day's arrival to its commit in the books",
    buckets=STAGE_BUCKETS,
)
FEED_UP = Gauge("trading_md_feed_up", "Whether the feed is logged on and subscribed")
LAST_SEQ = Gauge("trading_md_last_seq", "Sequence of the last day received")
LAST_EVENT = Gauge(
    "trading_md_last_event_timestamp_seconds", "Time of the last close received, on the tape"
)
LAST_RECEIVED = Gauge(
    "trading_md_last_received_timestamp_seconds", "Wall-clock time of the last day's arrival"
)
UNSTORED = Gauge("trading_md_unstored_days", "Days that wait to be stored")
UNPUBLISHED = Gauge("trading_md_unpublished_days", "Days that wait to be published")
OVERFLOWS = Counter("trading_md_buffer_overflows_total", "Times that a buffer was full", ["buffer"])
RESENDS = Counter("trading_md_resend_requests_total", "Times that days were asked for again")
