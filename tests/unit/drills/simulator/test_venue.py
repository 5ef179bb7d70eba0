"""The simulator's venue and the engine of `apps.venue` tell the same, profile by profile.

The simulator's is a model of its own, so that it can be the witness; here both take the same
requests, and each session must hear the same of both.
"""

from __future__ import annotations

from collections import defaultdict
from decimal import Decimal
from itertools import product
from random import Random

import pytest

from apps.core.fix import Pair, Received
from apps.venue import wire
from apps.venue.answers import Answers
from apps.venue.commands import Command, OpenDay, SessionDown, SessionUp
from apps.venue.engine import decide
from apps.venue.lines import Quote
from apps.venue.state import Profile, State
from opsctl.drills.simulator.plan import Leg, Plan
from opsctl.drills.simulator.venue import Connection, VirtualVenue
from opsctl.drills.simulator.world import World

SESSIONS = ("OPS-A-ORD", "OPS-B-ORD")
DROP_COPIES = ("OPS-A-DROP", "OPS-B-DROP")
QUOTED = 30
"""Shares on each side of the market maker's quote, renewed when they are used up."""
TOLD = (11, 41, 150, 39, 55, 54, 38, 14, 32, 102, 103, 790)
"""The fields that the firm acts on; ids of executions and times are each venue's own."""
STEPS = 60

Heard = dict[str, list[tuple[str, dict[int, str]]]]


def requests(seed: int, *, asks: bool) -> list[tuple[str, str, list[Pair]]]:
    """Return requests of two sessions; `X` cuts one and logs it on again."""
    chance, found = Random(seed), list[tuple[str, str, list[Pair]]]()
    for number in range(STEPS):
        name, session = f"o{chance.randint(0, 9)}", chance.choice(SESSIONS)
        buy = int(name[1:]) % 2 == 0
        subject = [(54, "1" if buy else "2"), (55, "AAA")]
        match chance.choice(("D", "D", "D", "F", "F", "H" if asks else "D", "X")):
            case "D":
                rests = int(name[1:]) % 3 == 0  # beyond what the maker quotes
                price = (95 if buy else 106) if rests else (101 if buy else 100)
                tif = "0" if rests else "3"
                body = [(11, name), (38, "40"), (40, "2"), (44, str(price)), (59, tif), *subject]
                found.append(("D", session, body))
            case "F":
                found.append(("F", session, [(11, f"c{number}"), (41, name), *subject]))
            case "H":
                found.append(("H", session, [(11, name), (790, f"{name}.s1"), *subject]))
            case other:
                found.append((other, session, []))
    return found


def told(body: list[Pair]) -> dict[int, str]:
    return {tag: value for tag, value in body if tag in TOLD}


class Real:
    """The engine of the venue app, with what it tells."""

    def __init__(self, plan: Plan) -> None:
        self.heard: Heard = defaultdict(list)
        on_disconnect = "cancel" if plan.cancel_on_disconnect else "keep"
        self.state = State(
            Profile(
                plan.duplicate_check,
                on_disconnect,  # type: ignore[arg-type]
                plan.status_request,
                plan.status_scope,
                plan.cross_session_cancel,
            )
        )
        self.answers = Answers(self.state)
        quotes = {"AAA": Quote(bid=Decimal(100), offer=Decimal(101), qty=QUOTED)}
        self.do(OpenDay(1, "2010-01-05", {"AAA": "100"}, quotes))
        for session in SESSIONS:
            self.do(SessionUp(session))

    def do(self, command: Command) -> None:
        for line in decide(self.state, command, 1):
            self.state.apply(line)
            for session in wire.audience(line, DROP_COPIES):
                kind, body = wire.message(line)
                self.heard[session].append((kind, told(body)))

    def take(self, msg_type: str, session: str, body: list[Pair]) -> None:
        message = Received(session, msg_type, 1, False, tuple(body))
        match msg_type:
            case "D":
                self.do(wire.enter(message))
            case "F":
                self.do(wire.cancel(message))
            case "H":
                for kind, answer in self.answers.to(message, 1):
                    self.heard[session].append((kind, told(answer)))
            case _:
                self.do(SessionDown(session))
                self.do(SessionUp(session))


class Deaf:
    """A process's engine that hears nothing: what it was sent, the venue remembers."""

    def connected(self, connection: Connection) -> None:
        self.connection = connection

    def disconnected(self, session: str) -> None:
        pass

    def received(self, message: Received) -> None:
        pass


class Simulated:
    """The simulator's venue; every request arrives before the next one leaves."""

    def __init__(self, plan: Plan) -> None:
        self.world = World(plan.seed)
        fills = Leg(symbol="AAA", buy=True, qty=40, fills=QUOTED)
        rests = Leg(symbol="AAA", buy=True, qty=40, fills=0)
        self.venue = VirtualVenue(
            self.world, plan, lambda name: rests if int(name[1:]) % 3 == 0 else fills
        )
        self.engines = {name: Deaf() for name in (*SESSIONS, *DROP_COPIES)}
        for name, engine in self.engines.items():
            self.venue.connect(engine, name, 1)

    def take(self, msg_type: str, session: str, body: list[Pair]) -> None:
        if msg_type == "X":
            self.venue.cut(session)
            self.venue.connect(self.engines[session], session, 1)
        else:
            self.venue.request(self.engines[session].connection, msg_type, dict(body))
        self.world.run(self.world.now + 1)

    @property
    def heard(self) -> Heard:
        return {
            name: [(kind, told(list(body))) for kind, body in session.sent]
            for name, session in self.venue.sessions.items()
        }


PROFILES = list(
    product(("firm", "session", "none"), ("firm", "session"), (True, False), (True, False))
)


@pytest.mark.parametrize(("duplicates", "scope", "cross", "cancels"), PROFILES)
def test_each_session_hears_the_same_of_both(
    duplicates: str, scope: str, cross: bool, cancels: bool
) -> None:
    for seed in range(5):
        plan = Plan(
            seed=seed,
            duplicate_check=duplicates,  # type: ignore[arg-type]
            status_scope=scope,  # type: ignore[arg-type]
            cross_session_cancel=cross,
            cancel_on_disconnect=cancels,
        )
        real, simulated = Real(plan), Simulated(plan)
        for number, request in enumerate(requests(seed, asks=True)):
            real.take(*request)
            simulated.take(*request)
            for session in (*SESSIONS, *DROP_COPIES):
                ours, theirs = simulated.heard[session], real.heard[session]
                assert ours == theirs, f"seed {seed}, request {number}, {session}: {request}"
        kinds = {told.get(150, kind) for kind, told in real.heard[SESSIONS[0]]}
        assert kinds >= {"0", "F", "4", "I", "9"}, "the requests provoke too little"
