"""Earlier deployments of an environment, read from the folders of its runs."""

from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path

from opsctl.deploy.records import DEPLOYMENT, HISTORY, Deployment, read
from opsctl.errors import OpsctlError, UsageError
from opsctl.state import environment_folder, runs_folder

_logger = logging.getLogger(__name__)


def deployments(name: str, identity: str) -> tuple[Deployment, ...]:
    """Return what runs had deployed in this very environment, the oldest first.

    The folders are those of every environment: one that cannot be read, since a newer
    opsctl wrote it for another environment, say, is left out and noted in the debug log.
    """
    paths = [
        *runs_folder().glob(f"*/{DEPLOYMENT}"),
        *(environment_folder(name) / HISTORY).glob("*.json"),
    ]
    found = {d.run: d for path in paths if (d := _readable(path)) is not None}
    mine = [d for d in found.values() if d.environment.name == name and d.identity == identity]
    return tuple(sorted(mine, key=lambda d: (d.at, d.run)))


def _readable(path: Path) -> Deployment | None:
    try:
        return read(path, Deployment)
    except OpsctlError as fault:
        _logger.warning("left out: %s", fault)
        return None


def choose(
    current: Deployment, earlier: Sequence[Deployment], to: str | None, *, half_done: bool = False
) -> Deployment:
    """Return the deployment that a rollback goes back to.

    Without `to` it is the one before the current; a rollback that is rolled back goes one
    further, so that repeating the command walks back through the history. Where a change
    was stopped half-way (`half_done`) it is the current one, which no longer runs whole.

    Raises:
        UsageError: there is none before, or `to` names none or the current one.
    """
    wanted = to or (current.run if half_done else current.before)
    if wanted is None:
        raise UsageError(
            f"nothing was deployed in {current.environment.name} before run {current.run}",
            hint=_list(current, earlier),
        )
    if wanted in (current.run, current.restores) and not half_done:
        raise UsageError(f"run {wanted} is what is deployed now", hint=_list(current, earlier))
    for deployment in earlier:
        if deployment.run == wanted:
            return deployment
    raise UsageError(
        f"no run {wanted} has deployed {current.environment.name}", hint=_list(current, earlier)
    )


def _list(current: Deployment, earlier: Sequence[Deployment]) -> str:
    others = [
        f"{d.run} ({d.at:%Y-%m-%dT%H:%M:%SZ})"
        for d in reversed(earlier)
        if d.run not in (current.run, current.restores)
    ]
    return (
        f"earlier deployments: {', '.join(others[:10])}" if others else "it is the only deployment"
    )
