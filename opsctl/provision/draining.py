"""Draining a box before it is changed: the order path leaves it by a planned handover."""

from __future__ import annotations

from collections.abc import Callable, Iterator

from opsctl.errors import OpsctlError, UsageError
from opsctl.evidence.runs import who
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.hosts import hosts
from opsctl.provision.inventory import BoxHost

Say = Callable[[str], None]


def placed(
    host: BoxHost, environments: tuple[Environment, ...]
) -> Iterator[tuple[Environment, str]]:
    """Yield each environment with a site on a box, and the site."""
    for environment in environments:
        if not environment.hosts:
            continue
        for one in hosts(environment):
            named = {one.address, _of_ssh(one.engine)} - {""}
            if named & {host.address, host.name}:
                for place in one.places:
                    if place in environment.trading_sites and place != WITNESS:
                        yield environment, place


def drain(host: BoxHost, environments: tuple[Environment, ...], say: Say) -> tuple[str, ...]:
    """Hand the order path over where a site of this box leads it; return what was done.

    Raises:
        UsageError: no environment has a site on this box, or it has no other site to lead.
        OpsctlError: a handover was refused or failed; nothing else was done.
    """
    found = tuple(placed(host, environments))
    if not found:
        raise UsageError(
            f"--drain: no deployed environment has a site on {host.name} ({host.address})",
            hint="leave --drain out: what trades there is not opsctl's, or nothing does; "
            "hosts of an environment stand under trading:hosts",
        )
    return tuple(done for environment, site in found for done in _leave(environment, site, say))


def _leave(environment: Environment, site: str, say: Say) -> Iterator[str]:
    from opsctl import recovery
    from opsctl.targets import open_target

    target = open_target(environment)
    led = recovery.leads(environment, target)
    if led is None or led.site != site:
        by = f"site {led.site} leads" if led else "no site leads"
        yield f"{environment.name}: {by}, not {site}"
        return
    others = [other for other in environment.trading_sites if other != site]
    if not others:
        raise UsageError(
            f"--drain: {environment.name} has no other site that could lead",
            hint=f"stop it first: opsctl halt {environment.name}, then opsctl destroy",
        )
    moved = recovery.failover(
        environment,
        target,
        to=others[0],
        mode="planned",
        by=who(),
        show=lambda _: None,
        say=say,
    )
    if moved.verdict != "done":
        reasons = [refusal.reason for refusal in moved.refusals]
        raise OpsctlError(
            f"{environment.name} could not be handed over to site {others[0]}: {moved.verdict}",
            details=reasons or [moved.detail],
            hint=f"opsctl health {environment.name} shows what is wrong; the box was not touched",
        )
    yield f"{environment.name}: site {others[0]} leads epoch {moved.epoch}"


def _of_ssh(engine: str) -> str:
    from urllib.parse import urlsplit

    return urlsplit(engine).hostname or "" if engine.startswith("ssh://") else ""
