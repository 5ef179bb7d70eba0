"""Verification: measures that an environment's tiers are met, and checks what it promises.

Probes go through the whole chain and are timed by the stamps that they gather; every app
is held to its contract, every server is tried without its secret, and what cannot be
proven here is said in so many words.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cached_property, partial
from pathlib import Path
from typing import Literal

from opsctl.errors import OpsctlError
from opsctl.health import pace
from opsctl.health.checks import Check, budget_kept, check_of, failure_domains, promises
from opsctl.health.latency import Latency, Stage, in_words
from opsctl.model.environment import Environment, TargetName
from opsctl.model.feasibility import rehearsal
from opsctl.model.hosts import host_of
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.value import Value
from opsctl.services.base import HttpProbe, Service
from opsctl.services.books import probes
from opsctl.targets.base import Target

PROBES = 200
RATE_PER_S = 50.0
WARM_UP = 10
CHAIN = frozenset({"venue", "data", "strategy", "execution"})
MONITORING = "prometheus"
SCRAPED_WITHIN_S = 20.0
POLL_S = 0.25
RECENT_S = 3_600.0
"""How far back real orders are judged: one bad minute does not fail every later verification."""

Verdict = Literal["passed", "failed"]


class Verification(Value):
    """What a verification found; the result of `opsctl verify`."""

    environment: str
    tier: LatencyTier
    dr: DrTier
    target: TargetName
    verdict: Verdict
    rehearsal: str = ""
    """Why the DR tier is rehearsed and not met, whatever the verdict; empty where it is none."""
    latency: Latency
    stages: tuple[Stage, ...]
    checks: tuple[Check, ...]


def verify(
    environment: Environment,
    target: Target,
    *,
    probes: int = PROBES,
    rate_per_s: float = RATE_PER_S,
    warm_up: int = WARM_UP,
) -> Verification:
    """Return what was measured and checked on a deployed environment; changes nothing.

    The probes come first and alone, so that no other check is in their way.
    """
    found = _Verifying(environment, target)
    latency, stages, of_probes = found.measure(probes, rate_per_s, warm_up)
    checks = (
        promises(environment),
        *of_probes,
        budget_kept(latency),
        found.real_orders(),
        *found.apps(),
        *found.servers(),
        found.monitoring(),
        failure_domains(environment, found.services),
        found.evidence(),
    )
    return Verification(
        environment=environment.name,
        tier=environment.tier,
        dr=environment.dr,
        target=environment.target,
        verdict="failed" if any(each.verdict == "failed" for each in checks) else "passed",
        rehearsal=rehearsal(environment),
        latency=latency,
        stages=stages,
        checks=checks,
    )


@dataclass
class _Verifying:
    """One verification in progress."""

    environment: Environment
    target: Target

    @cached_property
    def services(self) -> tuple[Service, ...]:
        return self.target.services()

    def secret(self, name: str) -> str:
        return Path(self.target.host.secret(name)).read_text(encoding="utf-8").strip()

    def acting(self) -> tuple[str, ...]:
        """Return the sites whose orders leave: of two that decide the same, the one that leads."""
        from opsctl.health.leader import leading_site

        trading = self.environment.trading_sites
        if len(trading) == 1:
            return trading
        return (leading_site(self.environment, self.services, self.target.host),)

    def measure(
        self, probes: int, rate_per_s: float, warm_up: int
    ) -> tuple[Latency, tuple[Stage, ...], list[Check]]:
        """Send the probes, through the chain of the site whose orders leave."""
        from opsctl.health import chain
        from opsctl.health.latency import latency, stages, tick_to_order_ns

        stamps, checks = [], []
        try:
            sites = self.acting()
        except OpsctlError as fault:
            none = Check(name="probes", verdict="failed", detail=fault.message)
            return latency([], self.environment.latency.budget_ns), (), [none]
        for ends in chain.ends(self.services, self.target.host):
            if ends.site not in sites:
                continue
            name = f"probes@{ends.site}"
            try:
                chain.probe(ends, warm_up, rate_per_s)
                with pace.metered() as took_ns:
                    found = chain.probe(ends, probes, rate_per_s)
            except OpsctlError as fault:
                checks.append(Check(name=name, verdict="failed", detail=fault.message))
                continue
            stamps += found.stamps
            faults = [f"{count} refused: {why}" for why, count in found.refused.most_common()]
            faults += [f"{found.lost} were not heard of again"] if found.lost else []
            faults += [f"{found.unsent} were not sent after that"] if found.unsent else []
            checks.append(
                check_of(
                    name,
                    faults,
                    f"all of {found.asked} came out, {found.per_s:g} a second",
                )
            )
            if not host_of(self.environment, ends.site).remote:
                checks.append(pace.stated(took_ns))
        if not checks:
            checks.append(Check(name="probes", verdict="failed", detail="no site has a chain"))
        took = [tick_to_order_ns(each) for each in stamps]
        return latency(took, self.environment.latency.budget_ns), stages(stamps), checks

    def real_orders(self) -> Check:
        """How long the orders of real decisions took within the last hour.

        Ticks of the time in which services may still be coming up are not judged: an
        order that waited for its strategy to start says nothing about the tier.
        """
        from opsctl.health.books import orders_took_ns
        from opsctl.health.latency import latency

        name = "real orders"
        seen = {found.key: found.started_at for found in self.target.observe()}
        started = [
            (at.timestamp(), service.ready_within_s)
            for service in self.services
            if service.name in CHAIN and (at := seen.get(service.key)) is not None
        ]
        books = probes(self.services).values()
        if not started or not books:
            return Check(name=name, verdict="failed", detail="the chain does not run")
        recent_s = time.time() - RECENT_S
        began_s = max(at for at, _ in started)
        since_ns = int(max(began_s, recent_s) * 1e9)
        settled_ns = int(max(at + within_s for at, within_s in started) * 1e9)
        try:
            # The books of two sites hold the same orders: each counts once.
            took = list(
                {
                    order: (ns, tick_ns)
                    for at in books
                    for order, ns, tick_ns in orders_took_ns(at, self.secret, since_ns)
                }.values()
            )
        except OpsctlError as fault:
            return Check(name=name, verdict="failed", detail=fault.message)
        judged = latency(
            [ns for ns, tick_ns in took if tick_ns >= settled_ns],
            self.environment.latency.budget_ns,
        )
        early = len(took) - judged.samples
        left_out = f"{early} followed ticks of the start-up and are not judged" if early else ""
        if judged.judged_us is None:
            said = left_out or "none of late; verify again when the strategy has traded"
            return Check(name=name, verdict="stated", detail=said)
        what = "p99" if judged.p99_us is not None else "maximum"
        of = "since the start" if began_s > recent_s else "of the last hour"
        said = (
            f"{what} {in_words(judged.judged_us)} of {judged.samples} orders {of}, "
            f"budget {in_words(judged.budget_us)}"
        )
        return Check(
            name=name,
            verdict="passed" if judged.met else "failed",
            detail=f"{said}; {left_out}" if left_out else said,
        )

    def apps(self) -> list[Check]:
        """Whether every app keeps the contract of an app."""
        from opsctl.health import contract

        local = self.environment.target is TargetName.LOCAL

        def faults(service: Service) -> Iterator[str]:
            assert isinstance(service.probe, HttpProbe)  # noqa: S101 - what makes it an app here
            yield from contract.endpoint(service, self.secret(service.probe.secret))
            lines = self.target.tail(service.key, contract.LOG_LINES)
            yield from contract.log(service, lines, self.environment.name)
            if local:
                yield from contract.described(service)

        kept = "endpoint guarded, log is JSON, " + (
            "--describe accepts its settings" if local else "--describe is not asked over a network"
        )
        apps = [s for s in self.services if s.kind == "app" and isinstance(s.probe, HttpProbe)]
        return _each("contract", apps, faults, kept)

    def servers(self) -> list[Check]:
        """Whether every server refuses who has no secret of it."""
        from opsctl.health.refusal import open_doors

        servers = [service for service in self.services if service.kind == "server"]
        return _each(
            "refuses strangers",
            servers,
            partial(open_doors, read_secret=self.secret),
            "on every port",
        )

    def monitoring(self) -> Check:
        """Whether Prometheus scrapes every service; one that has just started is waited for."""
        from opsctl.health.queries import Prometheus

        name = "monitoring"
        found = [
            service
            for service in self.services
            if service.name == MONITORING and isinstance(service.probe, HttpProbe)
        ]
        servers = [service.probe for service in found if isinstance(service.probe, HttpProbe)]
        watched = {host_of(self.environment, service.site) for service in found}
        scraped = [s for s in self.services if s.scrape is not None]
        wanted = {
            str(s.scrape.at): s.key
            for s in scraped
            if s.scrape is not None and host_of(self.environment, s.site) in watched
        }
        alone = sorted(s.key for s in scraped if s.key not in wanted.values())
        deadline = time.monotonic() + SCRAPED_WITHIN_S
        while True:
            try:
                up = set[str]()
                for probe in servers:
                    with Prometheus(probe.at, self.secret(probe.secret)) as prometheus:
                        up |= {target.instance for target in prometheus.targets() if target.up}
                missing = [key for at, key in wanted.items() if at not in up]
                fault = f"not scraped: {', '.join(missing)}" if missing else ""
            except OpsctlError as why:
                fault = why.message
            if not fault or not servers or time.monotonic() > deadline:
                break
            time.sleep(POLL_S)
        if not servers:
            fault = "no Prometheus runs"
        return check_of(
            name,
            [fault] if fault else [],
            f"Prometheus scrapes {len(wanted)} services"
            + (f"; on hosts without one are {', '.join(alone)}" if alone else ""),
        )

    def evidence(self) -> Check:
        """Whether the evidence log is whole."""
        from opsctl import evidence

        found = evidence.check()
        return check_of(
            "evidence",
            [f"{finding.kind}: {finding.detail}" for finding in found.findings],
            "; ".join([f"none of {found.lines} changed", *found.notes]),
        )


def _each(
    name: str,
    services: Sequence[Service],
    faults: Callable[[Service], Iterable[str]],
    kept: str,
) -> list[Check]:
    """Return one check for each service, all made at once."""
    with ThreadPoolExecutor(max_workers=max(1, len(services)), thread_name_prefix=name) as pool:
        found = pool.map(lambda service: tuple(faults(service)), services)
        return [
            check_of(f"{name}: {service.key}", why, kept)
            for service, why in zip(services, found, strict=True)
        ]
