"""What Prometheus reads of the strategy engine."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

DECISIONS = Counter(
    "trading_decisions_total",
    "Decisions emitted: traded, held, failed (it would have traded but could not), probe",
    ["strategy", "kind"],
)
INTENTS = Counter("trading_intents_total", "Intents emitted", ["strategy", "side"])
DECIDE_SECONDS = Histogram(
    "trading_decide_seconds",
    "Time that a decision took to compute",
    ["strategy", "kind"],
    buckets=(0.0005, 0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.15, 0.25, 0.5, 1, 5, 15),
)
TICK_TO_DECISION_SECONDS = Histogram(
    "trading_tick_to_decision_seconds",
    "From a close's arrival at the data app to its decision on the bus",
    ["strategy"],
    buckets=(0.001, 0.002, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 5, 60),
)
DECIDED_SEQ = Gauge(
    "trading_decided_seq", "Market-data sequence of the last decision", ["strategy"]
)
WAITS = Counter(
    "trading_strategy_waits_total",
    "Times that a decision waited: for history, portfolio, or the journaling of a former one",
    ["strategy", "for_what"],
)
WARM = Gauge("trading_strategy_warm", "Whether slow imports are done (1) or not (0)", ["strategy"])
