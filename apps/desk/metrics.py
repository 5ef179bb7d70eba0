"""What the desk measures of itself, and of the books that it shows."""

from __future__ import annotations

from prometheus_client import Counter, Gauge, Histogram

MESSAGES = Counter("trading_desk_messages", "Messages taken from the bus.", ["stream"])
UNREADABLE = Counter("trading_desk_unreadable", "Messages that were not understood.", ["stream"])
SENT = Counter("trading_desk_sent", "Messages sent to pages.")
SHOWN = Histogram(
    "trading_desk_shown_seconds",
    "From a message's arrival to its leaving for the pages.",
    buckets=(0.001, 0.005, 0.01, 0.05, 0.1, 0.15, 0.2, 0.5, 1.0, 5.0),
)
VIEWERS = Gauge("trading_desk_viewers", "Pages that are open.")
REFUSED = Counter("trading_desk_refused", "Requests that were refused.", ["reason"])
SOURCE_UP = Gauge("trading_desk_source_up", "Whether a source can be read.", ["source"])
EQUITY = Gauge("trading_desk_equity_usd", "Equity at the last closes.")
PNL = Gauge("trading_desk_pnl_usd", "Profit and loss since the start.")
DRAWDOWN = Gauge("trading_desk_drawdown_ratio", "Fall of the equity from its highest.")
DIFFERENCE = Gauge(
    "trading_desk_cash_difference_usd", "Cash by the journal less cash by the desk's ledger."
)
