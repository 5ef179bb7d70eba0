"""The journal of an environment as it stands, from the operator's side."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.errors import OpsctlError
from opsctl.services.base import Host, JournalProbe, Service

if TYPE_CHECKING:
    from apps.core.journal import Journal
    from opsctl.model.environment import Environment


def members(services: Sequence[Service]) -> dict[str, JournalProbe]:
    """Return the journal's members by site: where each is, and the certificates it asks for."""
    return {s.site: s.probe for s in services if isinstance(s.probe, JournalProbe)}


def open_journal(environment: Environment, services: Sequence[Service], host: Host) -> Journal:
    """Return a client that asks whichever member answers.

    Raises:
        OpsctlError: the environment has no journal.
    """
    found = tuple(members(services).values())
    if not found:
        raise OpsctlError(f"{environment.name} has no journal", hint="it has no order path")
    return journal_at(environment, host, found)


def journal_at(environment: Environment, host: Host, asked: Sequence[JournalProbe]) -> Journal:
    """Return a client that asks only these members."""
    from apps.core.journal import Journal

    def file(name: str) -> Path:
        return Path(name if name.startswith("/") else host.secret(name))

    first = asked[0]
    return Journal(
        environment=environment.name,
        endpoints=[str(member.at) for member in asked],
        ca=file(first.ca),
        cert=file(first.cert),
        key=file(first.key),
    )
