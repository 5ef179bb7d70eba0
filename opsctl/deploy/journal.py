"""The journal of an environment as it stands, from the operator's side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.errors import OpsctlError
from opsctl.services.base import JournalProbe

if TYPE_CHECKING:
    from apps.core.journal import Journal
    from opsctl.model.environment import Environment
    from opsctl.targets.base import Target


def members(target: Target) -> dict[str, JournalProbe]:
    """Return the journal's members by site: where each is, and the certificates it asks for."""
    return {s.site: s.probe for s in target.services() if isinstance(s.probe, JournalProbe)}


def open_journal(environment: Environment, target: Target) -> Journal:
    """Return a client that asks whichever member answers.

    Raises:
        OpsctlError: the environment has no journal.
    """
    found = tuple(members(target).values())
    if not found:
        raise OpsctlError(f"{environment.name} has no journal", hint="it has no order path")
    return journal_at(environment, target, found)


def journal_at(environment: Environment, target: Target, asked: Sequence[JournalProbe]) -> Journal:
    """Return a client that asks only these members."""
    from apps.core.journal import Journal

    def file(name: str) -> Path:
        return Path(name if name.startswith("/") else target.host.secret(name))

    first = asked[0]
    return Journal(
        environment=environment.name,
        endpoints=[str(member.at) for member in asked],
        ca=file(first.ca),
        cert=file(first.cert),
        key=file(first.key),
    )
