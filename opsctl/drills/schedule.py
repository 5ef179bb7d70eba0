"""When each blow of a drill falls and when it is lifted: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from opsctl.drills.effects import Effect


class Step(NamedTuple):
    """One blow, or the end of one, so many seconds after the first."""

    at_s: float
    strikes: bool
    number: int
    """Which effect."""
    pulse: int
    """Which of its blows, from 0."""


def steps(effects: Sequence[Effect]) -> list[Step]:
    """Return every blow and its end in their order; at the same time, ends come first."""
    found = []
    for number, each in enumerate(effects):
        for pulse in range(each.times):
            at_s = each.after_s + pulse * each.every_s
            found.append(Step(at_s, True, number, pulse))
            if each.hold_s:
                found.append(Step(at_s + each.hold_s, False, number, pulse))
    return sorted(found, key=lambda step: (step.at_s, step.strikes, step.number))


def last_blow(planned: Sequence[Step]) -> int:
    """Return the place of the last blow: what follows are ends."""
    return max(place for place, step in enumerate(planned) if step.strikes)
