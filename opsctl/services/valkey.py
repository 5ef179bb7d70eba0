"""Valkey: the bus of a site, as streams."""

from __future__ import annotations

from opsctl.model.environment import Environment
from opsctl.services.base import Address, BusProbe, ConfigFile, Host, Service

NAME = "valkey"

# Once a second to disk: what the last second held is sent again from the journal and the
# venue. No eviction: a full bus must refuse loudly, never drop messages silently.
CONFIG = """\
bind {host}
protected-mode yes
port {port}
requirepass {{{{secret:bus}}}}
maxclients 256
tcp-backlog 128
timeout 0
daemonize no
logfile ""
loglevel notice
set-proc-title no
databases 1
dir {data}
save ""
appendonly yes
appendfsync everysec
aof-load-truncated yes
aof-use-rdb-preamble yes
auto-aof-rewrite-percentage 100
auto-aof-rewrite-min-size 64mb
maxmemory 256mb
maxmemory-policy noeviction
stream-node-max-bytes 16kb
stream-node-max-entries 200
enable-debug-command no
enable-module-command no
"""


def address(host: Host, site: str) -> Address:
    """Return where the bus of a site is reached."""
    return host.address(NAME, site, "bus")


def service(environment: Environment, site: str, host: Host) -> Service:  # noqa: ARG001 - a Maker
    """Return the bus of a site."""
    at = address(host, site)
    config = host.folder(NAME, site, "config")
    data = host.folder(NAME, site, "data")
    return Service(
        name=NAME,
        site=site,
        kind="server",
        purpose="bus: market data, intents and order updates as streams",
        argv=(host.program("valkey", "valkey-server"), f"{config}/valkey.conf"),
        files=(
            ConfigFile(
                path="valkey.conf", content=CONFIG.format(host=at.host, port=at.port, data=data)
            ),
        ),
        ports={"bus": at.port},
        secrets=("bus",),
        probe=BusProbe(at=at, secret="bus"),  # noqa: S106 - a name
        stop_within_s=10,
    )
