"""What `drill simulate` answers with; the JSON form is a contract."""

from __future__ import annotations

from typing import Any, Literal

from opsctl.model.value import Value


class Failure(Value):
    """A seed whose run broke an invariant, and the shortest plan found that still does."""

    seed: int
    violation: str
    plan: dict[str, Any]
    timeline: tuple[str, ...]
    """Of the shortened plan's run: virtual milliseconds, place, what happened."""


class Simulation(Value):
    """Many runs: `first` to `last` are the seeds that were run."""

    verdict: Literal["passed", "failed", "interrupted"]
    first: int
    last: int
    runs: int
    seconds: float
    runs_per_minute: float
    takeovers: int
    orders_accepted: int
    code: str
    """A digest of the code that was run: the app's, and the simulator's."""
    failures: tuple[Failure, ...] = ()
