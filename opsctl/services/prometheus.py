"""Prometheus: scrapes what the catalogue says can be scraped, and evaluates the alert rules."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path

import yaml

from opsctl.model.environment import Environment
from opsctl.services import alertmanager
from opsctl.services.base import Address, ConfigFile, Host, HttpProbe, Scrape, Service
from opsctl.services.watch import USER, WEB_FILE, credentials, log_in

NAME = "prometheus"
SECRET = "prometheus"  # noqa: S105 - a name

SCRAPE_INTERVAL_S = 5
RETENTION_DAYS, RETENTION_SIZE = 15, "1GB"

RULES = Path(__file__).with_name("rules")


def address(host: Host, site: str) -> Address:
    """Return where the Prometheus of a site is reached."""
    return host.address(NAME, site, "http")


def service(environment: Environment, site: str, host: Host, watched: Sequence[Service]) -> Service:
    """Return the Prometheus of a site; `watched` are the services that it may scrape.

    Its configuration depends on their addresses and secrets alone, so that a change of
    an app's setting leaves Prometheus as it is.
    """
    at = address(host, site)
    config = host.folder(NAME, site, "config")
    scrapes = tuple(_scrapes(watched, site, at))
    routed = any(s.name == alertmanager.NAME for s in watched)
    return Service(
        name=NAME,
        site=site,
        kind="server",
        background=True,
        purpose="scrapes every app and server that has metrics, evaluates the alert rules",
        argv=(
            host.program("prometheus", "prometheus"),
            f"--config.file={config}/prometheus.yml",
            f"--web.config.file={config}/{WEB_FILE}",
            f"--web.listen-address={at}",
            f"--storage.tsdb.path={host.folder(NAME, site, 'data')}",
            f"--storage.tsdb.retention.time={RETENTION_DAYS}d",
            f"--storage.tsdb.retention.size={RETENTION_SIZE}",
            "--log.level=warn",
        ),
        environment={"GOMEMLIMIT": "160MiB", "GOGC": "50"},
        files=(
            ConfigFile(
                path="prometheus.yml", content=_config(environment, site, host, scrapes, routed)
            ),
            log_in(SECRET),
            *(
                ConfigFile(path=f"rules/{rules.name}", content=rules.read_text("utf-8"))
                for rules in sorted(RULES.glob("*.yml"))
            ),
        ),
        ports={"http": at.port},
        secrets=tuple(sorted({SECRET, *_secrets(scrapes, routed)})),
        probe=HttpProbe(at=at, path="/-/ready", secret=SECRET, user=USER),
        scrape=_own(at),
        stop_within_s=15,
    )


def _own(at: Address) -> Scrape:
    return Scrape(at=at, secret=SECRET, user=USER)


def _scrapes(
    watched: Sequence[Service], site: str, at: Address
) -> Iterator[tuple[str, str, Scrape]]:
    for service in watched:
        if service.scrape is not None:
            yield service.name, service.site, service.scrape
    yield NAME, site, _own(at)


def _secrets(scrapes: Sequence[tuple[str, str, Scrape]], routed: bool) -> Iterator[str]:
    for _, _, scrape in scrapes:
        yield from (s for s in (scrape.secret, scrape.ca, scrape.cert, scrape.key) if s)
    if routed:
        yield alertmanager.SECRET


def _config(
    environment: Environment,
    site: str,
    host: Host,
    scrapes: Sequence[tuple[str, str, Scrape]],
    routed: bool,
) -> str:
    config: dict[str, object] = {
        "global": {
            "scrape_interval": f"{SCRAPE_INTERVAL_S}s",
            "scrape_timeout": f"{SCRAPE_INTERVAL_S - 1}s",
            "evaluation_interval": f"{SCRAPE_INTERVAL_S}s",
            "external_labels": {"environment": environment.name, "prometheus": site},
        },
        "rule_files": ["rules/*.yml"],
        "scrape_configs": [
            {
                "job_name": f"{name}@{of}",
                "metrics_path": scrape.path,
                **credentials(scrape, host),
                "static_configs": [{"targets": [str(scrape.at)]}],
                # The job of a series is the service; the site tells two of them apart.
                "relabel_configs": [
                    {"target_label": "job", "replacement": name},
                    {"target_label": "site", "replacement": of},
                    {"target_label": "environment", "replacement": environment.name},
                ],
            }
            for name, of, scrape in scrapes
        ],
    }
    if routed:
        at = alertmanager.address(host, site)
        opens = credentials(Scrape(at=at, secret=alertmanager.SECRET, user=USER), host)
        config["alerting"] = {
            "alertmanagers": [{**opens, "static_configs": [{"targets": [str(at)]}]}]
        }
    return yaml.safe_dump(config, sort_keys=False)
