"""How fast this machine's processors are while something is measured on it.

The same piece of arithmetic is timed again and again by the processor time that it takes. What
waits for a processor uses none, so that programs beside it do not count. What does: a host of
virtual machines that gives the processor to others, which few tell their guests (`steal` in
/proc/stat), interrupts, which are charged to what they interrupt, and whatever shares the core.
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
"""So much slower than the median in the slowest hundredth is worth a word. Chosen on one virtual
machine, where it was 5 to 11; not tried on a quiet one."""


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
        said += "; uneven processors: they slow down whatever is measured on them"
    return Check(name=name, verdict="stated", detail=said)
