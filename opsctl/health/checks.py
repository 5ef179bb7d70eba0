"""The checks of a verification that need nobody to be asked: pure."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

from opsctl.health.latency import ENOUGH, Latency, in_words
from opsctl.model.environment import WITNESS, Environment, TargetName
from opsctl.model.feasibility import failure_domains as domains
from opsctl.model.feasibility import rehearsal, unmet
from opsctl.model.hosts import host_of
from opsctl.model.value import Value
from opsctl.services.base import Service


class Check(Value):
    """One thing that was checked.

    `stated` is what is true and proves nothing: it neither passes nor fails.
    """

    name: str
    verdict: Literal["passed", "failed", "stated"]
    detail: str


def check_of(name: str, faults: Sequence[str], passed: str) -> Check:
    """Return a check that failed for these faults, or passed."""
    return Check(
        name=name,
        verdict="failed" if faults else "passed",
        detail="; ".join(faults) or passed,
    )


def promises(environment: Environment) -> Check:
    """Return whether the tiers can be met at all."""
    reasons, only_rehearsed = unmet(environment), rehearsal(environment)
    if only_rehearsed and not reasons:
        said = f"tier {environment.tier} can be met on target {environment.target}; a rehearsal: "
        return Check(name="tier", verdict="stated", detail=said + only_rehearsed)
    tiers = f"tier {environment.tier}, dr {environment.dr}"
    return check_of("tier", reasons, f"{tiers} can be met on target {environment.target}")


def budget_kept(found: Latency) -> Check:
    """Return whether the budget was kept."""
    budget = in_words(found.budget_us)
    if found.judged_us is None:
        return Check(
            name="latency", verdict="failed", detail=f"not measured; the budget is {budget}"
        )
    what = "p99" if found.p99_us is not None else "maximum"
    said = f"{what} {in_words(found.judged_us)} of {found.samples} probes, budget {budget}"
    scarce = [
        f"p{share * 100:g} takes {least:,}"
        for share, least in ENOUGH.items()
        if found.samples < least
    ]
    if scarce:
        said += f"; too few samples: {', '.join(scarce)}"
    return Check(name="latency", verdict="passed" if found.met else "failed", detail=said)


def failure_domains(environment: Environment, services: Sequence[Service]) -> Check:
    """Return what can fail as a whole, and what that means for the disaster-recovery tier."""
    sites = environment.trading_sites
    addresses = sorted({service.probe.at.host for service in services})
    # Each container has an address of its own; what they share is the engine.
    engines = domains(environment)
    hosts = addresses
    if environment.target is TargetName.DOCKER:
        hosts = list(engines) if len(engines) > 1 else ["one Docker Engine"]
    places = f"{_count(len(sites), 'site')} on {_count(len(hosts), 'host')} ({', '.join(hosts)})"
    if len(sites) == 1:
        hours = environment.recovery.rto_s / 3_600
        said = (
            f"{places}: when it is lost, everything is; dr {environment.dr} promises a "
            f"rebuild within {hours:g} h, which only a restore proves"
        )
    elif len(hosts) < len(sites):
        said = (
            f"{places}: a rehearsal, whatever the other checks say; "
            f"dr {environment.dr} is not met by sites that fall together"
        )
    else:
        said = f"{places}: dr {environment.dr} is proven by drills, not by this"
        if WITNESS in environment.sites:
            at = host_of(environment, WITNESS)
            if beside := [site for site in sites if site in at.places]:
                said += (
                    f"; the witness is on the host of {beside[0]}: when that is lost, no "
                    "site can take over until it is back"
                )
    return Check(name="failure domains", verdict="stated", detail=said)


def _count(number: int, what: str) -> str:
    return f"{number} {what}{'s'[: number != 1]}"
