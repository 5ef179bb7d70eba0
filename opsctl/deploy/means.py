"""What the pipeline works with; tests hand over their own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field

from opsctl.deploy.health import ProbeAll
from opsctl.deploy.order_path import ByRecovery, OrderPath
from opsctl.health.verify import Verification
from opsctl.model.environment import Environment
from opsctl.targets.base import Target

PROBES, PROBES_PER_S = 20, 50.0
"""A deploy measures for a second or two; `opsctl verify` measures at length."""


@dataclass(frozen=True)
class Means:
    """A way to open a target, to probe services, to verify an environment, to move its leader."""

    open_target: Callable[[Environment], Target]
    probe_all: ProbeAll
    verify: Callable[[Environment, Target], Verification]
    order_path: OrderPath = field(default_factory=ByRecovery)


def means(probes: int = PROBES) -> Means:
    """Return the real ones; `probes` measure the tier."""
    from opsctl.health.report import probe_all
    from opsctl.targets import open_target

    def verify(environment: Environment, target: Target) -> Verification:
        from opsctl.health import verify as verification

        return verification.verify(environment, target, probes=probes, rate_per_s=PROBES_PER_S)

    return Means(open_target=open_target, probe_all=probe_all, verify=verify)
