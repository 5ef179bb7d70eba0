from __future__ import annotations

import time

from opsctl.drills.timeline import Timeline


def test_moments_come_in_order_and_count_from_the_fault() -> None:
    heard: list[str] = []
    told = Timeline(heard.append)
    told.say("before")
    told.strike("SIGKILL", lambda: None)
    told.add(told.fault_ns + 5_000_000, "b leads")
    told.add(told.fault_ns + 2_000_000, "last acceptance")
    assert heard == ["before", "SIGKILL"]
    assert [(m.what, m.ms) for m in told.moments()][1:] == [
        ("SIGKILL", 0.0),
        ("last acceptance", 2.0),
        ("b leads", 5.0),
    ]
    assert told.moments()[0].ms < 0


def test_the_fault_counts_from_before_its_blow() -> None:
    struck: list[int] = []
    told = Timeline(lambda _: None)
    told.strike("SIGKILL", lambda: struck.append(time.time_ns()))
    assert 0 < told.fault_ns <= struck[0]
