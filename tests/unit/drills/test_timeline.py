from __future__ import annotations

import time

from opsctl.drills.timeline import Timeline


def test_moments_come_in_order_and_count_from_the_fault() -> None:
    heard: list[str] = []
    told = Timeline(heard.append)
    told.say("before")
    told.strike("SIGKILL", lambda: None, sudden=True)
    told.add(told.fault_ns + 5_000_000, "b leads")
    told.add(told.fault_ns + 2_000_000, "last acceptance")
    assert heard == ["before", "SIGKILL"]
    assert [(m.what, m.ms) for m in told.moments()][1:] == [
        ("SIGKILL", 0.0),
        ("last acceptance", 2.0),
        ("b leads", 5.0),
    ]
    assert told.moments()[0].ms < 0


def test_a_sudden_fault_is_there_when_its_blow_is_over() -> None:
    struck: list[int] = []

    def blow() -> None:
        struck.append(time.time_ns())

    sudden, gradual = Timeline(lambda _: None), Timeline(lambda _: None)
    sudden.strike("SIGKILL", blow, sudden=True)
    gradual.strike("links are cut", blow, sudden=False)
    assert sudden.fault_ns >= struck[0]
    assert gradual.fault_ns <= struck[1]
