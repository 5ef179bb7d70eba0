"""The order path during a change: who leads it, who could take over, and the handover itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Protocol

from opsctl.deploy.rollout import Led
from opsctl.model.environment import Environment
from opsctl.targets.base import Target

Say = Callable[[str], None]


class OrderPath(Protocol):
    """What a rolled change asks of the order path."""

    def leads(self, environment: Environment, target: Target) -> Led | None:
        """Return who leads now; None where nobody does, as far as anybody can say."""
        ...

    def against(self, environment: Environment, target: Target, to: str) -> str:
        """Return what would refuse a planned handover to a site now; empty where nothing does."""
        ...

    def hand_over(self, environment: Environment, target: Target, to: str, say: Say) -> float | str:
        """Hand over; return how many milliseconds it took, or why it was not done."""
        ...


class ByRecovery:
    """What `opsctl failover` does, and looks at."""

    def leads(self, environment: Environment, target: Target) -> Led | None:
        """Return who leads by its heartbeats."""
        if len(environment.trading_sites) < 2:
            return None
        from opsctl import recovery

        return recovery.leads(environment, target)

    def against(self, environment: Environment, target: Target, to: str) -> str:
        """Return the refusals of the prechecks."""
        from opsctl import recovery

        return "; ".join(one.reason for one in recovery.against(environment, target, to))

    def hand_over(self, environment: Environment, target: Target, to: str, say: Say) -> float | str:
        """Hand over as the command does; it leaves a line of evidence of its own."""
        from opsctl import recovery
        from opsctl.evidence.runs import who

        moved = recovery.failover(
            environment,
            target,
            to=to,
            mode="planned",
            by=f"{who()} (update)",
            show=lambda _: None,
            say=say,
        )
        if moved.verdict == "done":
            return moved.handover_ms or 0.0
        already = any(refusal.check == "already" for refusal in moved.refusals)
        if already:
            return 0.0
        why = [moved.detail, *(refusal.reason for refusal in moved.refusals)]
        return "; ".join(part for part in why if part) or moved.verdict
