"""A drill, once or repeatedly, under the lock of its environment."""

from __future__ import annotations

from opsctl.deploy.lock import held
from opsctl.drills import underway
from opsctl.drills.faults import Faults
from opsctl.drills.outcome import Drilled, Series, summary, verdict_of
from opsctl.drills.running import recorded
from opsctl.drills.scenario import Scenario
from opsctl.drills.striking import Mover
from opsctl.drills.timeline import Say
from opsctl.model.environment import Environment
from opsctl.targets.base import Target


def drill(
    environment: Environment,
    target: Target,
    scenario: Scenario,
    *,
    repeat: int,
    rate_per_s: float,
    say: Say,
    move: Mover,
) -> Series:
    """Run a scenario so many times; one that is interrupted or blocked ends it.

    Each run leaves its own line in the evidence log, and its report. Raises `Locked`
    where another opsctl holds the environment.
    """
    runs: list[Drilled] = []
    with held(environment.name, f"drill run {scenario.name}"):
        left = underway.read(environment.name)
        if left is not None:
            Faults(environment, target).lift(left)
            underway.clear(environment.name)
            say(f"lifted what run {left.run} left standing")
        for number in range(repeat):
            if repeat > 1:
                say(f"run {number + 1} of {repeat}")
            runs.append(
                recorded(
                    environment,
                    target,
                    scenario.nth(number),
                    rate_per_s=rate_per_s,
                    say=say,
                    move=move,
                )
            )
            if runs[-1].verdict in ("interrupted", "blocked"):
                break
    return Series(
        scenario=scenario.name,
        environment=environment.name,
        verdict=verdict_of(tuple(runs)),
        runs=tuple(runs),
        summary=summary(tuple(runs)),
    )
