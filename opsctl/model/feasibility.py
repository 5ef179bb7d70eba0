"""What an environment cannot be: a tier that its target cannot meet, or not yet.

`unmet` are reasons of nature; `--allow-unmet` overrides them, and every verdict then says
so. `not_yet` are limits of this release; nothing overrides them. A `rehearsal` does all
that its tier does and proves how, but its sites share a host: it is deployed like any
other, and nothing ever says of it that the tier is met.
"""

from __future__ import annotations

from collections.abc import Iterator

from opsctl.model.aws import AwsSettings, needed
from opsctl.model.books import faults as faults_of_books
from opsctl.model.environment import Environment, TargetName
from opsctl.model.faults import Path
from opsctl.model.hosts import faults, host_of
from opsctl.model.onprem import OnpremSettings, domains
from opsctl.model.onprem import faults as faults_of_racks
from opsctl.model.tiers import DrTier, LatencyTier

GIVEN = frozenset({TargetName.LOCAL, TargetName.DOCKER})
"""The targets of this release."""

Reason = tuple[Path, str]


def unmet(environment: Environment) -> tuple[str, ...]:
    """Return why the environment cannot meet its tiers; empty where it can."""
    return tuple(reason for _, reason in unmet_reasons(environment))


def unmet_reasons(environment: Environment) -> Iterator[Reason]:
    """Yield the setting and the reason of each promise that cannot be met."""
    target, dr = environment.target, environment.dr
    if environment.tier is LatencyTier.HFT and target in (TargetName.LOCAL, TargetName.DOCKER):
        yield (
            ("tier",),
            (
                f"hft cannot be met on target {target}: under 10 us takes cores, a kernel and a "
                "network card of its own, and here every service shares this machine; "
                "use a tuned server, or tier intraday"
            ),
        )
    if environment.tier is LatencyTier.HFT and dr is not DrTier.HOT:
        yield (
            ("dr",),
            (
                f"{dr} does not meet tier hft: market making and hft need hot, "
                "a duplicate site with automatic failover"
            ),
        )


def rehearsal(environment: Environment) -> str:
    """Return why an environment only rehearses its DR tier; empty where it does not."""
    if not _share_a_host(environment):
        return ""
    sites = " and ".join(environment.trading_sites)
    if environment.infrastructure != "none":
        shared = lost = failure_domains(environment)[0]
    else:
        shared, lost = "one host", "the host"
    return (
        f"sites {sites} share {shared}: dr {environment.dr} is rehearsed here, not met; "
        f"what loses {lost} loses both"
    )


def failure_domains(environment: Environment) -> tuple[str, ...]:
    """Return what the sites that trade are on, each named once: what falls as a whole."""
    if environment.infrastructure == "onprem":
        return domains(environment.onprem, environment.trading_sites)
    if environment.infrastructure != "none":  # each site has its own host, zone and network
        return environment.trading_sites
    match environment.target:
        case TargetName.LOCAL:
            return ("this machine",)
        case TargetName.DOCKER:
            engines = (host_of(environment, site).engine for site in environment.trading_sites)
            return tuple(dict.fromkeys(engine or "this machine's engine" for engine in engines))
        case TargetName.KUBERNETES:  # as many as it has hosts
            return environment.trading_sites


def _share_a_host(environment: Environment) -> bool:
    return len(failure_domains(environment)) < len(environment.trading_sites)


def not_yet(environment: Environment) -> Iterator[Reason]:
    """Yield the setting and the reason of each thing that this release cannot give."""
    target = environment.target
    yield from _of_no_use(environment)
    if environment.ephemeral.owner and environment.live:
        yield ("ephemeral",), "trades real money (trading:live): it is taken away by nobody's clock"
    yield from ((("books", *path), why) for path, why in faults_of_books(environment))
    if environment.infrastructure != "none":
        yield from _declared(environment)
        return
    yield from ((("hosts", at), why) for at, why in faults(environment.hosts, target, environment))
    if target not in GIVEN:
        known = ", ".join(sorted(GIVEN))
        yield ("target",), f"{target} is not available in this release: use {known}"
    elif environment.services and target is TargetName.LOCAL:
        yield (
            ("services",),
            (
                "bounds containers, and target local runs processes that nothing bounds: leave it "
                "out, or use target docker"
            ),
        )


def _of_no_use(environment: Environment) -> Iterator[Reason]:
    """Yield what is said of an infrastructure that the environment does not declare."""
    for kind, said in (
        ("aws", environment.aws != AwsSettings()),
        ("onprem", environment.onprem != OnpremSettings()),
    ):
        if said and environment.infrastructure != kind:
            yield (
                (kind,),
                f"is of no use without `trading:infrastructure: {kind}`: write that too",
            )


def _declared(environment: Environment) -> Iterator[Reason]:
    """Yield what an environment must say, and may not, whose hosts a stack declares."""
    if environment.infrastructure == "aws":
        yield from ((("aws", key), why) for key, why in needed(environment.aws))
    else:
        for path, why in faults_of_racks(environment.onprem, environment.sites):
            yield ("onprem", *path), why
    if environment.target is not TargetName.DOCKER:
        yield ("target",), "services run in containers on the hosts of a stack: write `docker`"
    if environment.hosts:
        yield ("hosts",), "its hosts are those that the stack declares: leave it out"
