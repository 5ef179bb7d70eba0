"""Which handover requests nobody waits for any more."""

from __future__ import annotations

import msgspec
import pytest

from apps.core.journal import Leadership
from apps.core.sites import Handover, Overview
from opsctl.recovery.healing import stale

NOW_NS = 1_800_000_000_000_000_000
S = 1_000_000_000


@pytest.mark.parametrize(
    ("asked", "over"),
    [
        (None, False),
        ((7, 0), False),
        ((7, 9.9), False),
        ((7, 10.1), True),
        ((7, -10.1), True),
        ((6, 0), True),
    ],
)
def test_a_request_is_over_by_its_epoch_or_its_age(
    asked: tuple[int, float] | None, over: bool
) -> None:
    seen = Overview(
        leader=Leadership(epoch=7, owner="a-1", site="a", at_ns=0),
        leader_mod=1,
        tail=0,
        presences={},
        handover=None,
        handover_mod=0,
        revision=1,
    )
    if asked is not None:
        epoch, age_s = asked
        at_ns = NOW_NS - int(age_s * S)
        request = Handover(id="x", to="b", epoch=epoch, by="alice", at_ns=at_ns)
        seen = msgspec.structs.replace(seen, handover=request, handover_mod=2)
    assert stale(seen, NOW_NS) is over
