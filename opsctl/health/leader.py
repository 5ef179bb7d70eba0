"""Who leads the order path of an environment: asked of its journal, from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from opsctl.errors import ObjectiveMissed, OpsctlError
from opsctl.model.environment import Environment
from opsctl.services.base import Host, JournalProbe, Service

if TYPE_CHECKING:
    from apps.core.journal import Journal

PATIENCE_S = 2.0


class LeaderUnknown(ObjectiveMissed):
    """Nobody leads, or the journal does not say who."""


def journal_of(environment: Environment, services: Sequence[Service], host: Host) -> Journal:
    """Return the journal of an environment, every member asked directly."""
    from apps.core.journal import Journal

    members = [s.probe for s in services if isinstance(s.probe, JournalProbe)]
    if not members:
        raise OpsctlError(f"{environment.name} has no journal", hint="it has no order path to stop")

    def file(name: str) -> Path:
        return Path(name if name.startswith("/") else host.secret(name))

    first = members[0]
    return Journal(
        environment=environment.name,
        endpoints=[str(member.at) for member in members],
        ca=file(first.ca),
        cert=file(first.cert),
        key=file(first.key),
    )


def leading_site(environment: Environment, services: Sequence[Service], host: Host) -> str:
    """Return the site that leads now; raise `LeaderUnknown` where none does."""
    return asyncio.run(_leading(environment, services, host))


async def _leading(environment: Environment, services: Sequence[Service], host: Host) -> str:
    from apps.core.etcd import EtcdError
    from apps.core.sites import overview

    async with journal_of(environment, services, host) as journal:
        try:
            found = await overview(journal, environment.trading_sites, patience_s=PATIENCE_S)
        except EtcdError as fault:
            raise LeaderUnknown(
                f"the journal does not say who leads: {fault}",
                hint="opsctl status shows whether its members run, opsctl logs etcd why not",
            ) from fault
    if found.leader is None:
        raise LeaderUnknown(
            "no site has ever led the order path", hint="opsctl logs execution says why not"
        )
    return found.leader.site
