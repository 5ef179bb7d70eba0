"""The health of an environment: what its target sees, what the probes did, what is alerted.

`status` and `health` answer with the same keys, which are a contract.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Literal

from opsctl.health import probes
from opsctl.health.managed import Managed
from opsctl.health.queries import Alert, Prometheus, PrometheusUnreadable, ScrapeTarget
from opsctl.model.value import Value
from opsctl.services.base import HttpProbe, Service
from opsctl.targets.base import Running

Verdict = Literal["healthy", "unhealthy"]

UP = ("running", "starting")
MONITORING = "prometheus"
TOLERATED_SEVERITIES = frozenset({"info", "warning"})
"""Alerts of these severities are shown, and do not make an environment unhealthy."""

SETTLING_S = 15.0
"""A service that started less than this ago may not have been scraped since."""


class ServiceHealth(Value):
    """One service as it stands; `uptime_s` and `rss_bytes` are null where it does not run."""

    name: str
    site: str
    state: Literal["running", "starting", "stopped", "failed"]
    ready: bool
    uptime_s: float | None
    rss_bytes: int | None
    detail: str

    @property
    def key(self) -> str:
        """Return `name@site`."""
        return f"{self.name}@{self.site}"


class EnvironmentStatus(Value):
    """What the target sees of an environment; answered by `opsctl status`."""

    environment: str
    verdict: Verdict
    services: tuple[ServiceHealth, ...]


class Monitoring(Value):
    """What Prometheus says; `detail` says why where it says nothing."""

    targets_up: int = 0
    targets_down: tuple[ScrapeTarget, ...] = ()
    alerts_firing: tuple[Alert, ...] = ()
    detail: str = ""

    def healthy(self, settling: Collection[str] = ()) -> bool:
        """Return whether nothing is down, and nothing fires that people must act on.

        A target that is down does not count while its service is among the `settling`.
        """
        down = [t for t in self.targets_down if t.service not in settling]
        pressing = [a for a in self.alerts_firing if a.severity not in TOLERATED_SEVERITIES]
        return not (self.detail or down or pressing)


class EnvironmentHealth(EnvironmentStatus):
    """What the probes did, and what Prometheus says; answered by `opsctl health`."""

    monitoring: Monitoring
    services_unknown: str = ""
    """Why it is not known how the services are; empty where it is."""
    managed: Managed | None = None
    """What a cloud runs for it; null where nothing is."""


def status(
    environment: str,
    services: Sequence[Service],
    running: Sequence[Running],
    now: datetime,
    listening: Collection[str],
) -> EnvironmentStatus:
    """Return what the target sees: ready is what runs and is among those that listen."""
    shown = tuple(
        seen.model_copy(
            update={
                "ready": seen.key in listening,
                "detail": seen.detail or ("" if seen.key in listening else "does not listen"),
            }
        )
        if seen.state in UP
        else seen
        for seen in merged(services, running, now)
    )
    return EnvironmentStatus(environment=environment, verdict=_verdict(shown), services=shown)


def health(
    environment: str,
    services: Sequence[Service],
    running: Sequence[Running],
    now: datetime,
    probed: Mapping[str, probes.Result],
    monitoring: Monitoring,
) -> EnvironmentHealth:
    """Return the health of an environment: ready is what did its work when it was probed."""
    shown = tuple(_with(seen, probed.get(seen.key)) for seen in merged(services, running, now))
    settling = {s.key for s in shown if s.uptime_s is not None and s.uptime_s < SETTLING_S}
    verdict = _verdict(shown) if monitoring.healthy(settling) else "unhealthy"
    return EnvironmentHealth(
        environment=environment, verdict=verdict, services=shown, monitoring=monitoring
    )


def unseen(environment: str, why: str) -> EnvironmentHealth:
    """Return the health of an environment whose services cannot be seen: they may run or not."""
    return EnvironmentHealth(
        environment=environment,
        verdict="unhealthy",
        services=(),
        monitoring=Monitoring(detail="was not asked"),
        services_unknown=why,
    )


def with_managed(seen: EnvironmentHealth, managed: Managed | None) -> EnvironmentHealth:
    """Return the health of services with that of what a cloud runs for them."""
    well = seen.verdict == "healthy" and (managed is None or managed.healthy)
    verdict: Verdict = "healthy" if well else "unhealthy"
    return seen.model_copy(update={"managed": managed, "verdict": verdict})


def listening(services: Sequence[Service]) -> frozenset[str]:
    """Return the keys of the services whose port accepts a connection."""
    if not services:
        return frozenset()
    with ThreadPoolExecutor(max_workers=len(services), thread_name_prefix="reach") as pool:
        found = pool.map(lambda service: probes.reachable(service.probe.at), services)
        return frozenset(s.key for s, open_ in zip(services, found, strict=True) if open_)


def probe_all(
    services: Sequence[Service], read_secret: probes.ReadSecret
) -> dict[str, probes.Result]:
    """Probe every service at once, and return the results by the services' keys."""
    if not services:
        return {}
    with ThreadPoolExecutor(max_workers=len(services), thread_name_prefix="probe") as pool:
        results = pool.map(lambda service: probes.probe(service.probe, read_secret), services)
    return dict(zip((service.key for service in services), results, strict=True))


def monitored(services: Sequence[Service], read_secret: probes.ReadSecret) -> Monitoring:
    """Return what the Prometheus servers among the services say, together.

    What belongs to no site is scraped by that of every site, and counts once.
    """
    seen: dict[tuple[str, str], ScrapeTarget] = {}
    firing: dict[Alert, None] = {}
    for service in services:
        if service.name != MONITORING or not isinstance(service.probe, HttpProbe):
            continue
        try:
            with Prometheus(service.probe.at, read_secret(service.probe.secret)) as prometheus:
                targets, alerts = prometheus.targets(), prometheus.alerts_firing()
        except (PrometheusUnreadable, OSError) as error:
            return Monitoring(detail=str(error))
        seen.update({(target.service, target.instance): target for target in targets})
        firing.update(dict.fromkeys(alerts))
    return Monitoring(
        targets_up=sum(target.up for target in seen.values()),
        targets_down=tuple(target for target in seen.values() if not target.up),
        alerts_firing=tuple(firing),
    )


def merged(
    services: Sequence[Service], running: Sequence[Running], now: datetime
) -> tuple[ServiceHealth, ...]:
    """Return every service that is wanted, in order, then what runs and is not."""
    seen = {found.key: found for found in running}
    wanted = [_seen(s.name, s.site, seen.pop(s.key, None), now) for s in services]
    strangers = [_seen(found.name, found.site, found, now) for found in seen.values()]
    return (*wanted, *strangers)


def _seen(name: str, site: str, found: Running | None, now: datetime) -> ServiceHealth:
    if found is None:
        return ServiceHealth(
            name=name,
            site=site,
            state="stopped",
            ready=False,
            uptime_s=None,
            rss_bytes=None,
            detail="not deployed",
        )
    up = found.state in UP and found.started_at is not None
    uptime = (now - found.started_at).total_seconds() if up and found.started_at else None
    return ServiceHealth(
        name=name,
        site=site,
        state=found.state,
        ready=False,
        uptime_s=None if uptime is None else round(max(0.0, uptime), 1),
        rss_bytes=found.rss_bytes,
        detail=found.detail,
    )


def _with(seen: ServiceHealth, result: probes.Result | None) -> ServiceHealth:
    if result is None:
        return seen
    detail = "; ".join(filter(None, (result.detail, seen.detail)))
    if not result.ok and seen.state in ("stopped", "failed"):
        detail = seen.detail or detail
    return seen.model_copy(update={"ready": result.ok, "detail": detail})


def _verdict(services: Sequence[ServiceHealth]) -> Verdict:
    return "healthy" if services and all(s.ready for s in services) else "unhealthy"
