"""What happens in a run: pure values, drawn from a seed, small enough to be made smaller."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

SITES = ("a", "b")
SYMBOLS = ("AAA", "BBB", "CCC")
FAULTS_FROM_S, FAULTS_UNTIL_S = 1.15, 1.9
"""When faults begin; all are over 0.6 s later at the latest."""

FaultKind = Literal[
    "crash", "freeze", "freeze_in_send", "cut_journal", "stall", "losing", "break_watch", "cut_fix",
    "link_down", "handover", "halt",
]  # fmt: skip


class Fault(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that goes wrong at a time, at a site where it has one, for a while."""

    kind: FaultKind
    at_s: float
    site: str = ""
    for_s: float = 0.0


class Leg(msgspec.Struct, frozen=True, kw_only=True):
    """One order: what is traded, and how the venue will treat it."""

    symbol: str
    buy: bool
    qty: int
    day_order: bool = False
    fills: int = 0
    """Shares that trade at once; the rest is cancelled, or rests."""


class Decided(msgspec.Struct, frozen=True, kw_only=True):
    """One decision of the strategy, the same at both sites unless it diverges."""

    at_s: float
    legs: tuple[Leg, ...]
    late_s: tuple[float, float] = (0.0, 0.0)
    """When it reaches the bus of each site, after `at_s`."""
    diverges: bool = False


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    seed: int
    duplicate_check: Literal["firm", "session", "none"] = "firm"
    status_request: bool = True
    cancel_on_disconnect: bool = False
    decisions: tuple[Decided, ...] = ()
    faults: tuple[Fault, ...] = ()
    days: tuple[float, ...] = ()
    """When market data moves on by a day; decisions live for two."""

    @property
    def over_s(self) -> float:
        """When every fault is over, and every decision has arrived everywhere."""
        ends = [fault.at_s + fault.for_s for fault in self.faults]
        arrivals = [decided.at_s + max(decided.late_s) for decided in self.decisions]
        return max([FAULTS_FROM_S, *ends, *arrivals])


def drawn(seed: int) -> Plan:
    """Return the plan of a seed."""
    chance = Random(seed)
    return Plan(
        seed=seed,
        duplicate_check=chance.choices(("firm", "session", "none"), (8, 1, 1))[0],
        status_request=chance.random() < 0.9,
        cancel_on_disconnect=chance.random() < 0.3,
        decisions=tuple(_decision(chance) for _ in range(chance.randint(3, 9))),
        faults=tuple(_fault(chance) for _ in range(chance.randint(0, 4))),
        days=tuple(sorted(chance.uniform(1.0, 2.5) for _ in range(chance.randint(0, 3)))),
    )


def _decision(chance: Random) -> Decided:
    legs = tuple(
        Leg(
            symbol=chance.choice(SYMBOLS),
            buy=chance.random() < 0.5,
            qty=chance.randint(1, 60),
            day_order=chance.random() < 0.3,
            fills=chance.choice((0, 5, 30, 60)),
        )
        for _ in range(chance.randint(1, 2))
    )
    return Decided(
        at_s=chance.uniform(1.15, 2.0),
        legs=legs,
        late_s=(chance.expovariate(500), chance.expovariate(500)),
        diverges=chance.random() < 0.03,
    )


def _fault(chance: Random) -> Fault:
    kinds: tuple[FaultKind, ...] = FaultKind.__args__  # type: ignore[attr-defined]
    kind = chance.choice(kinds)
    at_s = chance.uniform(FAULTS_FROM_S, FAULTS_UNTIL_S)
    for_s = chance.choice((0.01, 0.06, 0.15, 0.3, 0.6))
    return Fault(kind=kind, at_s=at_s, site=chance.choice(SITES), for_s=for_s)


def smaller(plan: Plan) -> list[Plan]:
    """Return plans with one thing less, for whoever looks for the shortest that still fails."""
    found = []
    for name in ("faults", "decisions", "days"):
        many = getattr(plan, name)
        found += [
            msgspec.structs.replace(plan, **{name: many[:at] + many[at + 1 :]})
            for at in range(len(many))
        ]
    for at, each in enumerate(plan.decisions):
        if len(each.legs) > 1:
            fewer = msgspec.structs.replace(each, legs=each.legs[:1])
            some = (*plan.decisions[:at], fewer, *plan.decisions[at + 1 :])
            found.append(msgspec.structs.replace(plan, decisions=some))
    return found
