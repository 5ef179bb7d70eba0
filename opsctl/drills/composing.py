"""Faults composed by a seed, for drills that nobody thought of; pure.

The same seed makes the same faults, in every release of the same composition.
"""

from __future__ import annotations

from random import Random as Source

from pydantic import Field

from opsctl.drills.kinds import (
    AnyFault,
    Cut,
    Delay,
    Drop,
    Freeze,
    HandOver,
    Kill,
    Lose,
)
from opsctl.model.value import Value

PLACES = ("leader", "follower")
LOSABLE = (
    ("execution",),
    ("etcd",),
    ("valkey",),
    ("postgres",),
    ("data",),
    ("projector",),
    (),
)
"""What of a site is lost: one of its services, or all of it."""
PAIRS = (
    ("leader", "follower"),
    ("leader", "witness"),
    ("follower", "witness"),
    ("leader", "market"),
    ("follower", "market"),
)
PROCESSES = ("execution", "etcd", "valkey", "strategy", "data", "projector")


class Random(Value):
    """A composition: `faults` faults within `within_s`, each held `hold_s` at most."""

    seed: int = Field(ge=0, lt=2**53)
    faults: int = Field(default=3, ge=1, le=50)
    within_s: float = Field(default=6.0, ge=0, le=3600)
    hold_s: float = Field(default=3.0, ge=0.5, le=3600)


def composed(of: Random) -> tuple[AnyFault, ...]:
    """Return the faults of a seed, in the order in which they strike; the first strikes at once."""
    source = Source(f"drill {of.seed}")
    moments = sorted(round(source.uniform(0, of.within_s), 2) for _ in range(of.faults - 1))
    return tuple(_one(source, after_s, of.hold_s) for after_s in (0.0, *moments))


def _one(source: Source, after_s: float, longest_s: float) -> AnyFault:
    kind = source.choice(("kill", "freeze", "lose", "lose", "cut", "delay", "drop", "handover"))
    site = source.choice(PLACES)
    hold_s = round(source.uniform(0.3, longest_s), 2)
    held = {"after_s": after_s, "hold_s": hold_s}
    match kind:
        case "kill":
            count = source.randint(1, 2)
            services = tuple(source.sample(PROCESSES, count))
            return Kill(after_s=after_s, site=site, services=services)
        case "freeze":
            services = (source.choice(PROCESSES),)
            return Freeze(site=site, services=services, **held)
        case "lose":
            return Lose(site=site, services=source.choice(LOSABLE), **held)
        case "cut":
            return Cut(between=source.choice(PAIRS), **held)
        case "delay":
            delay_ms = source.choice((5, 20, 50, 200))
            return Delay(between=source.choice(PAIRS), delay_ms=delay_ms, **held)
        case "drop":
            sender, receiver = source.sample(source.choice(PAIRS), 2)
            return Drop(sender=sender, receiver=receiver, **held)
        case _:
            return HandOver(after_s=after_s, to=site)
