"""The kill switch, from the operator's side: a key of the journal.

It takes no lock of the environment: halting must work while a deploy runs.
"""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Literal

from opsctl import evidence
from opsctl.deploy import identity
from opsctl.deploy.outcome import SiteStopped, Switched
from opsctl.deploy.stopping import stop_sites
from opsctl.deploy.store import store_of
from opsctl.errors import OpsctlError
from opsctl.health.journal import open_journal, refuse_foreign

if TYPE_CHECKING:
    from apps.core.journal import Halted
    from opsctl.model.environment import Environment
    from opsctl.targets.base import Target

Switch = Literal["halt", "resume"]


class Silent(OpsctlError):
    """The journal did not answer."""


def switch(
    to: Switch,
    environment: Environment,
    target: Target,
    *,
    by: str,
    reason: str,
    show: Callable[[Switched], None],
) -> Switched:
    """Stop trading, or let it go on; return whether and how soon that took effect.

    `show` gets the answer at once, before the evidence is written and anchored. Where the
    journal does not answer to a halt, each site is asked to stop by itself.

    A halt asks nobody whose journal it is; trading goes on only in an environment's own.

    Raises:
        OpsctlError: the journal does not answer, and to a halt no site either; or it is
            another environment's, and trading there is not ours to resume.
    """
    name = environment.name
    if to == "resume":
        mine = identity.known(name) or target.host.identity
        refuse_foreign(environment, target.services(), target.host, mine)
    with evidence.recorded(
        command=to,
        environment=name,
        identity=identity.known(name),
        arguments={"reason": reason} if to == "halt" else {},
    ) as run:
        began = time.monotonic()
        try:
            result = _answer(name, asyncio.run(_switch(to, environment, target, by, reason)))
        except Silent:
            sites = stop_sites(target, by=by, reason=reason) if to == "halt" else []
            if not any(one.answered for one in sites):
                raise
            result = _stopped(name, tuple(sites), time.monotonic() - began)
        show(result)
        run.store = store_of(target)
        run.result = result.model_dump(mode="json")
        run.exit_code = 0 if result.effective else 1
    return result


async def _switch(
    to: Switch, environment: Environment, target: Target, by: str, reason: str
) -> Halted:
    from apps.core.journal import JournalError

    async with open_journal(environment, target.services(), target.host) as journal:
        try:
            if to == "halt":
                return await journal.halt(by=by, reason=reason)
            return await journal.resume()
        except JournalError as fault:
            raise Silent(
                f"the journal does not answer, so the kill switch stays as it was: {fault}",
                hint="without the journal no order leaves either; opsctl status shows what runs, "
                "opsctl deploy starts what is missing",
            ) from fault


def _stopped(name: str, sites: tuple[SiteStopped, ...], took_s: float) -> Switched:
    """Return that the kill switch is not written, and what the sites did meanwhile."""
    return Switched(
        environment=name,
        halted=False,
        changed=False,
        effective=False,
        effective_ms=round(took_s * 1_000, 1),
        at=None,
        by=None,
        reason=None,
        sites=sites,
    )


def _answer(name: str, found: Halted) -> Switched:
    halt = found.halt
    return Switched(
        environment=name,
        halted=found.halted,
        changed=found.changed,
        effective=found.acknowledged,
        effective_ms=round(found.effective_ms, 1),
        at=datetime.fromtimestamp(halt.at_ns / 1e9, UTC) if halt else None,
        by=halt.by if halt else None,
        reason=halt.reason if halt else None,
    )
