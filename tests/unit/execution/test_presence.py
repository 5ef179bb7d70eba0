"""When a site describes itself anew."""

from __future__ import annotations

from typing import Any, Literal

import msgspec
import pytest

from apps.core.sites import Presence
from apps.execution.app import _news

PROGRESS: list[dict[str, Any]] = [
    {"index": 8},
    {"market_seq": 4},
    {"intents": "2-0"},
    {"inbound": {"OPS-A-ORD": 3}},
]


def presence(role: Literal["leader", "follower"]) -> Presence:
    return Presence(
        site="a",
        owner="a/1",
        role=role,
        epoch=1,
        index=7,
        session_up=True,
        market_seq=3,
        intents="1-0",
        inbound={"OPS-A-ORD": 2},
        divergences=0,
        settings="s",
        release="r",
        fault="",
        at_ns=1,
    )


@pytest.mark.parametrize("progress", PROGRESS)
def test_how_far_a_leader_has_got_is_no_news_and_of_a_follower_it_is(
    progress: dict[str, Any],
) -> None:
    for role, news in (("leader", False), ("follower", True)):
        last = presence(role)  # type: ignore[arg-type]
        assert _news(msgspec.structs.replace(last, **progress, at_ns=2), last) is news


def test_what_else_a_site_says_is_news_and_that_it_is_still_there_is_not() -> None:
    last = presence("leader")
    assert _news(last, None)
    assert not _news(msgspec.structs.replace(last, at_ns=2), last)
    assert _news(msgspec.structs.replace(last, fault="the bus does not answer"), last)
    assert _news(msgspec.structs.replace(last, archived=5), last)
