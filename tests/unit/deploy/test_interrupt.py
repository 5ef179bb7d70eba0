"""Ctrl-C stops at a safe point; a second one at once."""

from __future__ import annotations

import os
import signal

import pytest

from opsctl.deploy.interrupt import Interruption
from opsctl.errors import Interrupted


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_waits_for_the_safe_point(number: signal.Signals) -> None:
    said: list[str] = []
    with Interruption(said.append) as interruption:
        interruption.check("nothing yet")
        os.kill(os.getpid(), number)
        assert said == ["stopping at the next safe point; once more stops at once"]
        with pytest.raises(Interrupted, match="2 of 5") as stopped:
            interruption.check("2 of 5 changes are done")
    assert number.name in stopped.value.message
    assert stopped.value.exit_code == 1


def test_a_second_signal_stops_at_once() -> None:
    with Interruption(lambda _: None):
        os.kill(os.getpid(), signal.SIGINT)
        with pytest.raises(KeyboardInterrupt):
            os.kill(os.getpid(), signal.SIGINT)


def test_the_handlers_are_given_back() -> None:
    before = signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)
    with Interruption(lambda _: None):
        assert signal.getsignal(signal.SIGINT) != before[0]
    assert (signal.getsignal(signal.SIGINT), signal.getsignal(signal.SIGTERM)) == before


def test_a_signal_that_no_safe_point_met_goes_to_who_had_them_before() -> None:
    heard: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: heard.append(number))
    try:
        with Interruption(lambda _: None):
            os.kill(os.getpid(), signal.SIGTERM)
        assert heard == [signal.SIGTERM]
        with Interruption(lambda _: None) as interruption:
            os.kill(os.getpid(), signal.SIGINT)
            with pytest.raises(Interrupted) as stopped:
                interruption.check("here")
        assert stopped.value.signal == signal.SIGINT
        assert heard == [signal.SIGTERM]
    finally:
        signal.signal(signal.SIGTERM, before)
