from __future__ import annotations

from decimal import Decimal
from importlib.metadata import EntryPoint, EntryPoints

import pytest

from apps.strategy import registry
from apps.strategy.api import BadParameters, Holdings, Limits, Market, Strategy, Wanted
from apps.strategy.momentum import Momentum
from apps.strategy.registry import StrategyUnusable, load

LIMITS = Limits(position_usd=Decimal(1), gross_usd=Decimal(1))


class Tomorrow(Strategy):
    """Speaks a later interface."""

    api_version = 2

    def decide(self, market: Market, holdings: Holdings) -> Wanted:
        raise AssertionError


@pytest.fixture
def installed(monkeypatch: pytest.MonkeyPatch) -> None:
    here = __name__

    def points(group: str) -> EntryPoints:
        return EntryPoints(
            [
                EntryPoint("tomorrow", f"{here}:Tomorrow", group),
                EntryPoint("gone", f"{here}:Gone", group),
                EntryPoint("other", f"{here}:LIMITS", group),
            ]
        )

    monkeypatch.setattr(registry, "entry_points", points)


def test_momentum_is_installed() -> None:
    assert isinstance(load("momentum", {"rebalance_days": 21}, LIMITS), Momentum)


def test_parameters_are_checked_at_once() -> None:
    with pytest.raises(BadParameters, match="it knows the parameters: rebalance_days"):
        load("momentum", {"speed": 1}, LIMITS)


def test_a_name_that_is_not_installed_is_answered_with_those_that_are() -> None:
    with pytest.raises(StrategyUnusable, match=r"installed .*momentum"):
        load("nonsense", {}, LIMITS)


@pytest.mark.usefixtures("installed")
@pytest.mark.parametrize(
    ("name", "why"),
    [("tomorrow", "version 2"), ("gone", "does not import"), ("other", "is no")],
)
def test_what_cannot_be_used_says_why(name: str, why: str) -> None:
    with pytest.raises(StrategyUnusable, match=why):
        load(name, {}, LIMITS)
