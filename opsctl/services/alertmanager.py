"""Alertmanager: groups alerts and routes them to people."""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.services.base import Address, ConfigFile, Host, HttpProbe, Scrape, Service
from opsctl.services.watch import USER, WEB_FILE, log_in

NAME = "alertmanager"
SECRET = "alertmanager"  # noqa: S105 - a name

# Nobody is told until a firm names its receivers; alerts are shown on the page all the same.
CONFIG = """\
route:
  receiver: nobody
  group_by: [alertname, job]
  group_wait: 10s
  group_interval: 1m
  repeat_interval: 4h
receivers:
  - name: nobody
inhibit_rules:
  - source_matchers: [alertname = "ServiceDown"]
    target_matchers: [severity = "warning"]
    equal: [environment, job]
"""


def address(host: Host, site: str) -> Address:
    """Return where the Alertmanager of a site is reached."""
    return host.address(NAME, site, "http")


def service(environment: Environment, site: str, host: Host) -> Service:  # noqa: ARG001 - a Maker
    """Return the Alertmanager of a site; alone, so its gossip port stays closed."""
    at = address(host, site)
    config = host.folder(NAME, site, "config")
    return Service(
        name=NAME,
        site=site,
        kind="server",
        background=True,
        purpose="groups alerts and routes them to people",
        argv=(
            host.program("alertmanager", "alertmanager"),
            f"--config.file={config}/alertmanager.yml",
            f"--web.config.file={config}/{WEB_FILE}",
            f"--web.listen-address={at}",
            f"--storage.path={host.folder(NAME, site, 'data')}",
            "--data.retention=120h",
            "--cluster.listen-address=",
            "--log.level=warn",
        ),
        environment={"GOMEMLIMIT": "64MiB", "GOGC": "50"},
        files=(ConfigFile(path="alertmanager.yml", content=CONFIG), log_in(SECRET)),
        ports={"http": at.port},
        secrets=(SECRET,),
        probe=HttpProbe(at=at, path="/-/ready", secret=SECRET, user=USER),
        scrape=Scrape(at=at, secret=SECRET, user=USER),
    )
