"""What a fault cost, from what the venue and the client saw: pure.

RTO is the time from the last to the first acceptance by the venue: the last on the former
leader's order session and the first on its successor's; where leadership does not move, the
longest time without one.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from itertools import pairwise

from opsctl.drills.record import Accepted

NS_PER_MS = 1_000_000


def longest_gap_ms(at_ns: Iterable[int], since_ns: int, until_ns: int) -> float | None:
    """Return the longest gap between two moments that ends within a window, in milliseconds.

    The window's end counts as the end of a gap, so that what never came again is not
    taken for something short. None where nothing came before the window.
    """
    found = longest_gap(at_ns, since_ns, until_ns)
    return None if found is None else ms(*found)


def longest_gap(at_ns: Iterable[int], since_ns: int, until_ns: int) -> tuple[int, int] | None:
    """Return when the longest gap between two moments that ends within a window began and ended."""
    moments = sorted(at_ns)
    before = [at for at in moments if at <= since_ns]
    if not before:
        return None
    within = [at for at in moments if since_ns < at <= until_ns]
    return max(pairwise([before[-1], *within, until_ns]), key=lambda gap: gap[1] - gap[0])


def takeover(
    accepted: Iterable[Accepted], former: str, successor: str, since_ns: int
) -> tuple[int, int] | None:
    """Return when the last order was accepted of a session and the first of its successor's.

    The last one before that first: a frozen leader's order may still arrive later. None
    where the successor's session had nothing accepted after the fault, or the former
    nothing before.
    """
    moments = sorted((one.at_ns, one.session) for one in accepted)
    first = next((at for at, session in moments if session == successor and at > since_ns), None)
    if first is None:
        return None
    before = [at for at, session in moments if session == former and at < first]
    return (before[-1], first) if before else None


def ms(from_ns: int, to_ns: int) -> float:
    """Return the time between two moments in milliseconds."""
    return round((to_ns - from_ns) / NS_PER_MS, 3)


def percentile(values: Sequence[float], share: float) -> float | None:
    """Return a percentile by nearest rank; None where there are too few values to carry it."""
    if len(values) < math.ceil(1 / (1 - share)) if share < 1 else not values:
        return None
    return sorted(values)[math.ceil(share * len(values)) - 1]
