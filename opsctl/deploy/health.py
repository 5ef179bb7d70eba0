"""The health stage: a deployment is healthy when every service does its work."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from opsctl.deploy.interrupt import Interruption
from opsctl.errors import DeployFailed
from opsctl.health.probes import Result
from opsctl.services.base import Service
from opsctl.targets.base import Target

_logger = logging.getLogger(__name__)

ROUND_S = 0.05
LOG_LINES = 20

ProbeAll = Callable[[Sequence[Service], Callable[[str], str]], Mapping[str, Result]]
"""Probes services at once, given a reader of secrets; returns results by the services' keys."""


def await_health(
    target: Target,
    services: Sequence[Service],
    probe_all: ProbeAll,
    interruption: Interruption,
) -> None:
    """Return when every one of the services has done its work.

    Each has its own `ready_within_s`; one that has failed for good is not waited for.

    Raises:
        DeployFailed: one did not become healthy; the details are the end of its log.
    """
    began = time.monotonic()
    waiting = {service.key: service for service in target.reached(services)}
    while waiting:
        results = probe_all(tuple(waiting.values()), secrets_of(target))
        for key, result in results.items():
            _logger.debug("%s %s: %s", key, "healthy" if result.ok else "not yet", result.detail)
            if result.ok:
                del waiting[key]
            elif time.monotonic() - began >= waiting[key].ready_within_s:
                raise _unhealthy(target, waiting[key], result.detail)
        if not waiting:
            return
        for seen in target.observe():
            if seen.key in waiting and seen.state in ("failed", "stopped"):
                raise _unhealthy(target, waiting[seen.key], seen.detail or seen.state)
        interruption.check(f"waiting for {', '.join(waiting)}")
        time.sleep(ROUND_S)


def secrets_of(target: Target) -> Callable[[str], str]:
    """Return a reader of the environment's secrets by name."""
    return lambda name: Path(target.host.secret(name)).read_text(encoding="utf-8").strip()


def _unhealthy(target: Target, service: Service, why: str) -> DeployFailed:
    return DeployFailed(
        f"{service.key} is not healthy: {why}",
        hint=f"the end of its log is above; all of it: opsctl logs {service.name}",
        details=target.tail(service.key, LOG_LINES),
    )
