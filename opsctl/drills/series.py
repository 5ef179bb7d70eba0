"""A drill, once or repeatedly, under the lock of its environment."""

from __future__ import annotations

from contextlib import ExitStack
from functools import partial
from pathlib import Path

from opsctl.deploy.lock import held
from opsctl.drills import report, underway
from opsctl.drills.accounts import Accounts
from opsctl.drills.mending import mended
from opsctl.drills.outcome import Drilled, Series, summary, verdict_of
from opsctl.drills.running import recorded
from opsctl.drills.scenario import Scenario
from opsctl.drills.striking import Mover
from opsctl.drills.timeline import Say
from opsctl.errors import Locked
from opsctl.model.environment import Environment
from opsctl.targets import open_backend
from opsctl.targets.base import Target


def drill(
    environment: Environment,
    target: Target,
    scenario: Scenario,
    *,
    repeat: int,
    say: Say,
    move: Mover,
) -> Series:
    """Run a scenario so many times; one that is interrupted or blocked ends it.

    Each run leaves its own line in the evidence log, and its report; so does one that is
    blocked because another opsctl holds the environment, or an earlier drill is not rolled
    back.
    """
    runs: list[Drilled] = []
    run = partial(recorded, environment, target, say=say, move=move)
    with ExitStack() as stack:
        try:
            backend = open_backend(environment)
            command = f"opsctl drill run {scenario.name} {environment.name}"
            stack.enter_context(held(environment.name, command, backend))
            refused = _unmended(environment, target, say)
        except Locked as busy:
            refused = f"{busy.message}: {busy.hint}"
        for number in range(repeat):
            if repeat > 1:
                say(f"run {number + 1} of {repeat}")
            runs.append(run(scenario.nth(number), refused=refused))
            if runs[-1].verdict in ("interrupted", "blocked"):
                break
    found = Series(
        scenario=scenario.name,
        environment=environment.name,
        verdict=verdict_of(tuple(runs)),
        runs=tuple(runs),
        summary=summary(tuple(runs)),
    )
    # Beside the report of the last run: that one ended the series.
    return report.series(found, Path(runs[-1].report).parent) if repeat > 1 else found


def _unmended(environment: Environment, target: Target, say: Say) -> str:
    """Mend what an earlier drill left; return what is still broken, empty where nothing is."""
    left = underway.read(environment.name)
    if left is None:
        return ""
    broken = mended(Accounts(environment, target), left, say)
    if not broken:
        return ""
    return (
        f"drill {left.scenario} (run {left.run}) is not rolled back yet, {broken}: "
        f"opsctl health {environment.name} says what is wrong, the next command tries again"
    )
