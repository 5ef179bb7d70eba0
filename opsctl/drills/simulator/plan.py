"""What happens in a run: pure values, drawn from a seed, small enough to be made smaller."""

from __future__ import annotations

from random import Random
from typing import Literal

import msgspec

SITES = ("a", "b")
SYMBOLS = ("AAA", "BBB", "CCC")
FAULTS_FROM_S, FAULTS_UNTIL_S = 1.1, 1.45
"""When faults begin; all are over some 0.7 s later at the latest."""
DECISIONS_FROM_S, DECISIONS_UNTIL_S = 1.1, 1.55
AUTOMATIC = 0.85
"""How many of the plans let a silent leader be succeeded by itself."""
SOON_S = 0.13
"""How soon a fault that belongs to another follows it: within detection and takeover."""

FaultKind = Literal[
    "crash", "crash_all", "freeze", "freeze_in_send", "crash_in_send", "cut_in_send",
    "cut_journal", "stall", "losing", "break_watch", "compact", "cut_fix", "link_down",
    "handover", "halt", "clock_step", "order",
]  # fmt: skip
KINDS: tuple[FaultKind, ...] = FaultKind.__args__  # type: ignore[attr-defined]
WEIGHTS = (4, 2, 4, 6, 2, 3, 4, 3, 4, 2, 1, 4, 2, 5, 4, 1, 0)
"""How often each kind is drawn, of all together; orders have draws of their own."""
FOLLOWING = (4, 2, 4, 3, 2, 3, 4, 3, 4, 2, 1, 4, 2, 8, 12, 1, 0)
"""And where one follows another: what a person does then is drawn more often."""


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
    lives: int = 100
    """For how many days of market data it may be sent; the day of its making is 0."""


class Plan(msgspec.Struct, frozen=True, kw_only=True):
    """A whole run."""

    seed: int
    duplicate_check: Literal["firm", "session", "none"] = "firm"
    status_request: bool = True
    status_scope: Literal["firm", "session"] = "firm"
    cross_session_cancel: bool = True
    cancel_on_disconnect: bool = False
    drifts: tuple[float, float] = (0.0, 0.0)
    """By how much each site's clocks run fast, of the true time."""
    decisions: tuple[Decided, ...] = ()
    faults: tuple[Fault, ...] = ()
    days: tuple[float, ...] = ()
    """When market data moves on by a day."""
    manual: bool = False
    """Whether leadership goes to another site by order only."""

    @property
    def over_s(self) -> float:
        """When every fault is over, and every decision has arrived everywhere."""
        ends = [fault.at_s + fault.for_s for fault in self.faults]
        arrivals = [decided.at_s + max(decided.late_s) for decided in self.decisions]
        return max([FAULTS_FROM_S, *ends, *arrivals])


def drawn(seed: int) -> Plan:
    """Return the plan of a seed.

    Much of what breaks a protocol needs several things at once, so that faults are drawn
    close to one another, and decisions close to faults, more often than chance would have it.
    """
    chance = Random(seed)
    faults = _faults(chance)
    drifting = chance.random() < 0.1
    plan = Plan(
        seed=seed,
        duplicate_check=chance.choices(("firm", "session", "none"), (8, 1, 1))[0],
        status_request=chance.random() < 0.9,
        status_scope="session" if chance.random() < 0.1 else "firm",
        cross_session_cancel=chance.random() < 0.9,
        cancel_on_disconnect=chance.random() < 0.3,
        drifts=(chance.uniform(-0.02, 0.02), chance.uniform(-0.02, 0.02))
        if drifting
        else (0.0, 0.0),
        decisions=tuple(_decision(chance, faults) for _ in range(chance.randint(3, 8))),
        faults=faults,
        days=tuple(sorted(chance.uniform(1.1, 1.7) for _ in range(chance.randint(0, 2)))),
    )
    return plan if chance.random() < AUTOMATIC else _manual(chance, plan)


def _manual(chance: Random, plan: Plan) -> Plan:
    """Return a plan whose leadership moves by order, with people who give orders, wise or not."""
    orders = []
    for _ in range(chance.randint(0, 3)):
        at_s = chance.uniform(FAULTS_FROM_S, FAULTS_UNTIL_S)
        if plan.faults and chance.random() < 0.7:
            at_s = chance.choice(plan.faults).at_s + chance.uniform(0.0, SOON_S)
        orders.append(Fault(kind="order", at_s=at_s, site=chance.choice(SITES)))
    return msgspec.structs.replace(plan, manual=True, faults=(*plan.faults, *orders))


def _decision(chance: Random, faults: tuple[Fault, ...]) -> Decided:
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
    at_s = chance.uniform(DECISIONS_FROM_S, DECISIONS_UNTIL_S)
    if faults and chance.random() < 0.5:
        at_s = chance.choice(faults).at_s + chance.uniform(-0.01, 0.02)
    return Decided(
        at_s=at_s,
        legs=legs,
        late_s=(chance.expovariate(500), chance.expovariate(500)),
        diverges=chance.random() < 0.03,
        lives=chance.choice((0, 1, 100, 100)),
    )


def _faults(chance: Random) -> tuple[Fault, ...]:
    found: list[Fault] = []
    for _ in range(chance.choice((0, 1, 1, 2, 2, 3, 3, 4))):
        follows = bool(found) and chance.random() < 0.5
        at_s = chance.uniform(FAULTS_FROM_S, FAULTS_UNTIL_S)
        if follows:
            at_s = found[-1].at_s + chance.uniform(0.0, SOON_S)
        kind = chance.choices(KINDS, FOLLOWING if follows else WEIGHTS)[0]
        for_s = chance.choices((0.01, 0.06, 0.11, 0.15, 0.3, 0.6), (2, 3, 3, 3, 2, 1))[0]
        for_s *= chance.uniform(0.9, 1.1)
        if kind == "freeze_in_send" and chance.random() < 0.6:
            for_s = chance.uniform(0.08, 0.13)  # it wakes while its successor asks and enters
        found.append(Fault(kind=kind, at_s=at_s, site=chance.choice(SITES), for_s=for_s))
    return tuple(found)


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
