"""Drawings of a report as SVG: the moments, the acceptances, the distribution; pure.

Their size does not grow with the orders: what is drawn is counted first.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from html import escape

from opsctl.drills.reporting.document import Figure

WIDTH = 960
LEFT, RIGHT = 46, 14
BUCKETS = 160
KINDS = ("one", "two")
NS_PER_MS = 1_000_000
TICKS_MS = (0, 1, 10, 100, 1_000, 10_000, 100_000, 1_000_000)


def moments(at_ms: Sequence[float]) -> Figure:
    """Draw moments, counted from the fault, on an axis that is linear at 1 ms and then logarithmic.

    They are numbered as in the table below it, from 1.
    """
    height, line = 108, 66
    low, high = _log(min((*at_ms, 0.0))), _log(max((*at_ms, 1.0)))
    scale = (WIDTH - LEFT - RIGHT) / (high - low or 1.0)

    def x(ms: float) -> float:
        return LEFT + (_log(ms) - low) * scale

    parts = [f'<path class="axis" d="M{LEFT} {line}H{WIDTH - RIGHT}"/>']
    for tick in sorted({*TICKS_MS, *(-t for t in TICKS_MS)}):
        if low <= _log(tick) <= high:
            at = x(tick)
            parts.append(f'<path class="axis" d="M{at:.1f} {line - 4}v8"/>')
            parts.append(_text(at, line + 20, _span(tick)))
    parts.append(f'<path class="fault" d="M{x(0):.1f} 14V{line}"/>')
    parts.append(_text(x(0), line + 36, "the fault", "faulttext"))
    last = [-math.inf] * 3
    for number, ms in enumerate(at_ms, start=1):
        at = x(ms)
        row = next((n for n, taken in enumerate(last) if at - taken > 16), len(last) - 1)
        last[row] = at
        parts.append(f'<circle class="one" cx="{at:.1f}" cy="{line}" r="3.5"/>')
        parts.append(_text(at, line - 10 - 14 * row, str(number), "ink"))
    return _figure(
        height,
        parts,
        "The moments of the timeline, numbered as in the table; time from the fault, on an axis "
        "that is logarithmic beyond 1 ms.",
    )


def acceptances(
    by_session: Sequence[tuple[str, Sequence[int]]],
    fault_ns: int,
    gap_ns: tuple[int, int] | None,
    ended_ns: int,
) -> Figure | None:
    """Draw how many orders the venue accepted over time around the fault, by session.

    `gap_ns` is the time without acceptances that counts. None where nothing was accepted.
    """
    if not any(at for _, at in by_session):
        return None
    cost_ns = gap_ns[1] - gap_ns[0] if gap_ns else 0
    around_ns = min(max(4 * cost_ns, 400 * NS_PER_MS), 20_000 * NS_PER_MS)
    first_ns = fault_ns - around_ns
    until_ns = min((gap_ns[1] if gap_ns else fault_ns) + around_ns, max(ended_ns, fault_ns + 1))
    width_ns = max(1, (until_ns - first_ns) // BUCKETS + 1)
    counted = []
    for session, moments_ns in by_session:
        counts = [0] * BUCKETS
        for at_ns in moments_ns:
            if first_ns <= at_ns < first_ns + BUCKETS * width_ns:
                counts[(at_ns - first_ns) // width_ns] += 1
        counted.append((session, counts))
    top = max(1, *(sum(column) for column in zip(*(c for _, c in counted), strict=True)))
    height, floor, roof = 220, 184, 28
    step = (WIDTH - LEFT - RIGHT) / BUCKETS

    def x(at_ns: int) -> float:
        return LEFT + (at_ns - first_ns) / width_ns * step

    parts = []
    if gap_ns is not None:
        start, end = x(gap_ns[0]), x(gap_ns[1])
        parts.append(
            f'<rect class="gap" x="{start:.1f}" y="{roof}" width="{max(1.0, end - start):.1f}" '
            f'height="{floor - roof}"/>'
        )
    parts += _bars([counts for _, counts in counted], floor, (floor - roof) / top)
    parts.append(f'<path class="axis" d="M{LEFT} {roof}V{floor}H{WIDTH - RIGHT}"/>')
    parts.append(_text(LEFT - 6, roof + 4, str(top), anchor="end"))
    parts.append(_text(LEFT - 6, floor + 4, "0", anchor="end"))
    parts.append(f'<path class="fault" d="M{x(fault_ns):.1f} {roof - 8}V{floor}"/>')
    parts.append(_text(x(fault_ns), roof - 12, "the fault", "faulttext"))
    low, high = (first_ns - fault_ns) / NS_PER_MS, (until_ns - fault_ns) / NS_PER_MS
    parts += [
        _text(x(fault_ns + round(ms * NS_PER_MS)), floor + 18, _span(ms))
        for ms in _ticks(low, high)
    ]
    for number, (session, _) in enumerate(counted):
        across = LEFT + 6 + number * 130
        parts.append(
            f'<rect class="{KINDS[number % 2]}" x="{across}" y="{height - 12}" '
            'width="10" height="10"/>'
        )
        parts.append(_text(across + 15, height - 3, session, anchor="start"))
    return _figure(
        height,
        parts,
        f"Orders that the venue accepted, by session, in steps of {width_ns / NS_PER_MS:.3g} ms; "
        "the shaded time is what the RTO counts.",
    )


def _bars(counted: Sequence[Sequence[int]], floor: int, scale: float) -> Iterator[str]:
    """Yield one path for each session, its bars on those of the sessions before."""
    step = (WIDTH - LEFT - RIGHT) / BUCKETS
    below = [0] * BUCKETS
    for number, counts in enumerate(counted):
        bars = []
        for bucket, count in enumerate(counts):
            if count:
                left, base, tall = (
                    LEFT + bucket * step,
                    floor - below[bucket] * scale,
                    count * scale,
                )
                bars.append(f"M{left:.1f} {base:.1f}v-{tall:.1f}h{step * 0.86:.2f}v{tall:.1f}z")
                below[bucket] += count
        yield f'<path class="{KINDS[number % 2]}" d="{"".join(bars)}"/>'


def _ticks(low: float, high: float) -> Iterator[float]:
    """Yield round values between two, a handful."""
    spread = high - low
    step = 10.0 ** math.floor(math.log10(spread / 4))
    step *= next(n for n in (1, 2, 5, 10) if spread / (step * n) <= 9)
    yield from (n * step for n in range(math.ceil(low / step), math.floor(high / step) + 1))


def distribution(took_ms: Sequence[float], goal_ms: float) -> Figure | None:
    """Draw which share of runs took at most how long; None where nothing was measured."""
    if not took_ms:
        return None
    height, floor, roof = 230, 196, 22
    ordered = sorted(took_ms)
    high = max(ordered[-1], goal_ms) * 1.05

    def x(ms: float) -> float:
        return LEFT + ms / high * (WIDTH - LEFT - RIGHT)

    parts = [f'<path class="axis" d="M{LEFT} {roof}V{floor}H{WIDTH - RIGHT}"/>']
    parts += [
        _text(LEFT - 6, floor - share * (floor - roof) + 4, f"{share:.0%}", anchor="end")
        for share in (0, 0.5, 1)
    ]
    parts += [_text(x(tick), floor + 18, _span(tick)) for tick in _ticks(0, high)]
    parts.append(f'<path class="goal" d="M{x(goal_ms):.1f} {roof - 6}V{floor}"/>')
    parts.append(_text(x(goal_ms), roof - 10, f"goal {_span(goal_ms)}", "goaltext"))
    for rank, ms in enumerate(ordered, start=1):
        y = floor - rank / len(ordered) * (floor - roof)
        parts.append(f'<circle class="one" cx="{x(ms):.1f}" cy="{y:.1f}" r="2.8"/>')
    return _figure(
        height, parts, f"RTO of {len(ordered)} runs: the share that took at most so long."
    )


def _log(ms: float) -> float:
    return math.copysign(math.log10(1 + abs(ms)), ms)


def _span(ms: float) -> str:
    sign, size = ("-" if ms < 0 else ""), abs(ms)
    return f"{sign}{size / 1_000:g} s" if size >= 1_000 else f"{sign}{size:g} ms"


def _text(x: float, y: float, text: str, kind: str = "", anchor: str = "middle") -> str:
    named = f' class="{kind}"' if kind else ""
    return f'<text{named} x="{x:.1f}" y="{y:.1f}" text-anchor="{anchor}">{escape(text)}</text>'


def _figure(height: int, parts: Sequence[str], says: str) -> Figure:
    return Figure(
        f'<svg viewBox="0 0 {WIDTH} {height}" role="img" aria-label="{escape(says)}">'
        f"{''.join(parts)}</svg>",
        says,
    )
