"""Moving the journal's leading member to a site, so that a drill can lose it."""

from __future__ import annotations

import asyncio
from typing import Any

from aetcd import rpc

from apps.core.rpc import Channel, Failed, context
from opsctl.errors import OpsctlError
from opsctl.health.journal import members
from opsctl.model.environment import Environment
from opsctl.targets.base import Target

STATUS, MOVE = (f"/etcdserverpb.Maintenance/{name}" for name in ("Status", "MoveLeader"))
DEADLINE_S = 2.0
TRIES, AGAIN_S = 20, 0.2


def lead(environment: Environment, target: Target, site: str) -> str:
    """Make the member of a site lead the journal; return what was done.

    Raises `OpsctlError` where the members do not agree to it within a few seconds.
    """
    return asyncio.run(_lead(environment, target, site))


async def _lead(environment: Environment, target: Target, site: str) -> str:
    found = members(target.services())
    first = next(iter(found.values()))
    tls = context(*(target.host.secret(name) for name in (first.ca, first.cert, first.key)))
    channels = {name: Channel(str(probe.at.here), tls) for name, probe in found.items()}
    try:
        for _ in range(TRIES):
            try:
                states = {name: await _status(channel) for name, channel in channels.items()}
                ids = {name: state.header.member_id for name, state in states.items()}
                leads = next((n for n, i in ids.items() if states[n].leader == i), None)
                if leads == site:
                    return f"the journal's member of {site} leads"
                if leads is not None:
                    request = rpc.MoveLeaderRequest(targetID=ids[site]).SerializeToString()
                    await channels[leads].call(MOVE, request, timeout_s=DEADLINE_S)
            except Failed:
                pass  # an election is under way: look again
            await asyncio.sleep(AGAIN_S)
    finally:
        for channel in channels.values():
            await channel.close()
    raise OpsctlError(
        f"the journal's leading member could not be moved to {site}",
        hint=f"opsctl health {environment.name} shows whether all members answer",
    )


async def _status(channel: Channel) -> Any:
    request = rpc.StatusRequest().SerializeToString()
    return rpc.StatusResponse.FromString(await channel.call(STATUS, request, timeout_s=DEADLINE_S))
