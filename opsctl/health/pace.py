"""How fast this machine's processors are while something is measured on it.

The same piece of arithmetic is timed again and again by the processor time that it takes. Our own
load beside it does not count, since whoever waits for a processor uses none; what the host of a
virtual machine gives to others meanwhile does. Few hosts tell their guests of that (`steal` in
/proc/stat), and a chain of five programs feels each such pause five times.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

from opsctl.health.checks import Check
from opsctl.health.latency import in_words, percentile_us

ROUNDS = 2_000
"""Additions in one piece: some tens of microseconds, which nothing waits for."""
EVERY_S = 0.005
SLOW = 5.0
"""So much slower than the median in the slowest hundredth, and the figures are the machine's too:
a cold cache and the other thread of a core make less of it."""


@contextmanager
def metered() -> Iterator[list[int]]:
    """Time arithmetic beside the block; yield what each piece took so far, in ns."""
    took: list[int] = []
    done = threading.Event()

    def measure() -> None:
        while not done.wait(EVERY_S):
            began = time.thread_time_ns()
            sum(range(ROUNDS))
            took.append(time.thread_time_ns() - began)

    thread = threading.Thread(target=measure, name="pace", daemon=True)
    thread.start()
    try:
        yield took
    finally:
        done.set()
        thread.join()


def stated(took_ns: list[int]) -> Check:
    """Return what the arithmetic says of the processors; proof of nothing."""
    name = "processors"
    middle, slow = percentile_us(took_ns, 0.5), percentile_us(took_ns, 0.99)
    if not middle or slow is None:
        return Check(name=name, verdict="stated", detail="too short to tell how even they are")
    times = slow / middle
    said = (
        f"the same arithmetic took {in_words(middle)} at p50 and {in_words(slow)} at p99 of "
        f"{len(took_ns)}: {times:.1f} times as long"
    )
    if times >= SLOW:
        said += "; this machine slows down by itself, and what was measured on it with it"
    return Check(name=name, verdict="stated", detail=said)
