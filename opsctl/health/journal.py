"""The journal of an environment as it stands, from the operator's side."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.errors import OpsctlError
from opsctl.health.probes import reachable
from opsctl.services.base import Host, JournalProbe, Service

OWNER_S = 2.0
"""How long the journal may take to say whose it is."""

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


def answering(environment: Environment, services: Sequence[Service], host: Host) -> Journal | None:
    """Return a client of the members that accept a connection; None where none does."""
    up = [m for m in members(services).values() if reachable(m.at) and _held(host, m)]
    return journal_at(environment, host, up) if up else None


def refuse_foreign(
    environment: Environment, services: Sequence[Service], host: Host, mine: str
) -> None:
    """Refuse an environment whose journal bears another identity than `mine`.

    A journal that does not answer yet refuses nothing: the apps ask again before they act.

    Raises:
        OpsctlError: it is another environment's.
    """
    from apps.core.etcd import EtcdError

    journal = answering(environment, services, host)
    if journal is None:
        return
    with contextlib.suppress(EtcdError):
        found = asyncio.run(_owner(journal))
        if found not in ("", mine):
            raise OpsctlError(
                f"the journal of {environment.name} belongs to another environment: "
                f"{foreign(found, mine)}",
                hint="two deployments may not share a journal: give this one another name, or "
                "destroy it, and correct the addresses; where only the file `identity` of its "
                f"state folder was lost, write {found} into it",
            )


def foreign(found: str, mine: str) -> str:
    """Say which identity a journal bears, and which was expected."""
    return f"it bears the identity {found}, and this environment's is {mine}"


async def _owner(journal: Journal) -> str:
    from apps.core.identity import owner

    async with journal:
        return await owner(journal, patience_s=OWNER_S)


def _held(host: Host, member: JournalProbe) -> bool:
    """Whether the certificates for a member are here: before a first deploy they are not."""
    return all(_file(host, name).is_file() for name in (member.ca, member.cert, member.key))


def _file(host: Host, name: str) -> Path:
    return Path(name if name.startswith("/") else host.secret(name))


def journal_at(environment: Environment, host: Host, asked: Sequence[JournalProbe]) -> Journal:
    """Return a client that asks only these members."""
    from apps.core.journal import Journal

    first = asked[0]
    return Journal(
        environment=environment.name,
        endpoints=[str(member.at.here) for member in asked],
        ca=_file(host, first.ca),
        cert=_file(host, first.cert),
        key=_file(host, first.key),
    )
