"""What `opsctl env up`, `down` and `reap` answer with; the JSON forms are contracts."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from opsctl.health.verify import Verification
from opsctl.model.environment import TargetName
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.value import Value

Verdict = Literal["passed", "failed", "missed", "cancelled", "expired"]
"""`failed`: a step, or the command; `missed`: the tier; `cancelled`: by a signal; `expired`: its
time was over before the command's end."""
EXPIRED = 124
"""The exit code where the time is over, as of timeout(1)."""
CANCELLED = 128
"""What the number of a signal is added to, as a shell does."""


class Step(Value):
    """One step of an environment's life, and how it ended."""

    name: Literal["infrastructure", "deploy", "verify", "command", "take away"]
    verdict: Literal["passed", "failed", "skipped"]
    duration_s: float
    detail: str
    run: str | None = None
    """Its line in the evidence log; null where it left none."""


class Up(Value):
    """What became of an environment that `opsctl env up` made.

    `left`: it stands, because `--keep` said so or because it could not be taken away;
    `error` says why a step failed, with its details. `exit_code` is the command's own where
    it ran to its end.
    """

    environment: str
    identity: str | None
    base: str
    owner: str
    expires: datetime
    target: TargetName
    tier: LatencyTier
    dr: DrTier
    verdict: Verdict
    exit_code: int
    duration_s: float
    steps: tuple[Step, ...]
    verification: Verification | None
    command: tuple[str, ...]
    left: bool
    error: str = ""
    hint: str = ""
    details: tuple[str, ...] = ()


class Reaped(Value):
    """An ephemeral environment that was found, and what was done about it.

    `removed`: it is gone; `would remove`: by a dry run; `kept`: its time is not over; `held`:
    another opsctl works on it; `left`: a cloud has `resources` of it and nobody here its state;
    `failed`: it could not be removed, `detail` says why.
    """

    environment: str
    identity: str
    owner: str
    expires: datetime
    where: str
    """This machine's state folder, the address of an engine, or an account of a cloud."""
    verdict: Literal["removed", "would remove", "kept", "held", "left", "failed"]
    detail: str
    resources: tuple[str, ...] = ()
    """What was found by tags in a cloud: ARNs."""
    run: str | None = None


class Reaping(Value):
    """What `opsctl env reap` found and did."""

    at: datetime
    dry_run: bool
    environments: tuple[Reaped, ...]
    unreachable: tuple[str, ...] = ()
    """Engines that were asked for and accounts that did not answer, and why."""
