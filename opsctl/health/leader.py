"""Who leads the order path of an environment: asked of its journal, from outside."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence

from opsctl.errors import ObjectiveMissed
from opsctl.health.journal import open_journal
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Service

PATIENCE_S = 2.0


class LeaderUnknown(ObjectiveMissed):
    """Nobody leads, or the journal does not say who."""


def leading_site(environment: Environment, services: Sequence[Service], host: Host) -> str:
    """Return the site that leads now; raise `LeaderUnknown` where none does."""
    return asyncio.run(_leading(environment, services, host))


async def _leading(environment: Environment, services: Sequence[Service], host: Host) -> str:
    from apps.core.etcd import EtcdError
    from apps.core.sites import overview

    async with open_journal(environment, services, host) as journal:
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
