"""Tick-to-order: what stamps say, summed up by nearest rank; pure.

A percentile is given only where the samples carry it: p99 takes a hundred, p99.9 a
thousand. The maximum is always that of the samples.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import NamedTuple

from apps.core.messages import Stamps
from opsctl.model.value import Value

NS_PER_US = 1_000
ENOUGH = {0.5: 1, 0.99: 100, 0.999: 1_000}
"""How many samples a percentile takes at least."""


class Span(NamedTuple):
    """A stage of the chain, from one stamp to the next."""

    name: str
    begins: str
    ends: str


STAGES = (
    Span("data", "data_in", "published"),
    Span("decision", "published", "decided"),
    Span("bus", "decided", "received"),
    Span("risk+journal", "received", "journaled"),
    Span("gateway", "journaled", "sent"),
)
"""The way of an order. `decision` begins on the bus of market data, `bus` is that of intents."""


class Latency(Value):
    """Tick-to-order against the tier's budget; null where the samples do not carry a figure."""

    budget_us: float
    samples: int
    p50_us: float | None
    p99_us: float | None
    p999_us: float | None
    max_us: float | None

    @property
    def judged_us(self) -> float | None:
        """The figure that is held against the budget: p99, or of fewer samples the maximum."""
        return self.max_us if self.p99_us is None else self.p99_us

    @property
    def met(self) -> bool:
        """Whether there were samples and the budget was kept."""
        return self.judged_us is not None and self.judged_us <= self.budget_us


class Stage(Value):
    """What one stage of the chain took."""

    name: str
    samples: int
    p50_us: float | None
    p99_us: float | None
    max_us: float | None


def latency(took_ns: Sequence[int], budget_ns: int) -> Latency:
    """Return what latencies come to."""
    return Latency(
        budget_us=budget_ns / NS_PER_US,
        samples=len(took_ns),
        p50_us=percentile_us(took_ns, 0.5),
        p99_us=percentile_us(took_ns, 0.99),
        p999_us=percentile_us(took_ns, 0.999),
        max_us=_us(max(took_ns)) if took_ns else None,
    )


def stages(stamps: Sequence[Stamps]) -> tuple[Stage, ...]:
    """Return what each stage took; stamps that did not pass a stage are left out of it."""
    found = []
    for span in STAGES:
        took = [
            ends - begins
            for each in stamps
            if (begins := getattr(each, span.begins)) and (ends := getattr(each, span.ends))
        ]
        found.append(
            Stage(
                name=span.name,
                samples=len(took),
                p50_us=percentile_us(took, 0.5),
                p99_us=percentile_us(took, 0.99),
                max_us=_us(max(took)) if took else None,
            )
        )
    return tuple(found)


def tick_to_order_ns(stamps: Stamps) -> int:
    """Return the time from the tick's arrival to the order's leaving."""
    return stamps.sent - stamps.data_in


def percentile_us(took_ns: Sequence[int], share: float) -> float | None:
    """Return a percentile in microseconds; None where there are too few samples for it."""
    if len(took_ns) < ENOUGH[share]:
        return None
    return _us(sorted(took_ns)[math.ceil(share * len(took_ns)) - 1])


def in_words(us: float) -> str:
    """Return a duration as people write it: `640 us`, `12.3 ms`, `1.2 s`."""
    if us < 1_000:
        return f"{us:.0f} us"
    if us < 1_000_000:
        return f"{us / 1_000:.3g} ms" if us < 100_000 else f"{us / 1_000:.0f} ms"
    return f"{us / 1_000_000:.3g} s"


def _us(ns: int) -> float:
    return ns / NS_PER_US
