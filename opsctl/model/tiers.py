"""Latency tiers and disaster-recovery tiers: what each promises, and what it costs.

Source of the figures: docs/tiers.md.
"""

from __future__ import annotations

from enum import StrEnum
from typing import Literal

from opsctl.model.value import Value

US = 1_000
MS = 1_000_000
S = 1_000_000_000


class LatencyTier(StrEnum):
    """How fast an order must leave the gateway after the tick that caused it."""

    HFT = "hft"
    INTRADAY = "intraday"
    DAILY = "daily"
    WEEKLY = "weekly"


class DrTier(StrEnum):
    """How a platform comes back after the loss of a site."""

    HOT = "hot"
    WARM = "warm"
    COLD = "cold"


class LatencyPromise(Value):
    """What a latency tier promises: tick in to order out, and its yearly cost band."""

    budget_ns: int
    cost_usd_year: tuple[int, int | None]
    default_dr: DrTier


class DrPromise(Value):
    """What a disaster-recovery tier promises, and the sites that it takes.

    `rto_s`: seconds from the last to the first acceptance by the venue.
    `rpo_orders`: acknowledged orders that may be lost; None: nothing older than the last backup.
    """

    rto_s: int
    failover: Literal["automatic", "manual", "rebuild"]
    rpo_orders: int | None
    sites: tuple[str, ...]


LATENCY: dict[LatencyTier, LatencyPromise] = {
    LatencyTier.HFT: LatencyPromise(
        budget_ns=10 * US, cost_usd_year=(1_000_000, None), default_dr=DrTier.HOT
    ),
    LatencyTier.INTRADAY: LatencyPromise(
        budget_ns=10 * MS, cost_usd_year=(100_000, 500_000), default_dr=DrTier.HOT
    ),
    LatencyTier.DAILY: LatencyPromise(
        budget_ns=1 * S, cost_usd_year=(10_000, 50_000), default_dr=DrTier.WARM
    ),
    LatencyTier.WEEKLY: LatencyPromise(
        budget_ns=60 * S, cost_usd_year=(1_000, 10_000), default_dr=DrTier.COLD
    ),
}

DR: dict[DrTier, DrPromise] = {
    DrTier.HOT: DrPromise(
        rto_s=60, failover="automatic", rpo_orders=0, sites=("a", "b", "witness")
    ),
    DrTier.WARM: DrPromise(rto_s=900, failover="manual", rpo_orders=0, sites=("a", "b", "witness")),
    DrTier.COLD: DrPromise(rto_s=14_400, failover="rebuild", rpo_orders=None, sites=("a",)),
}
