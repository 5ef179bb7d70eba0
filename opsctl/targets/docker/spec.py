"""A service as a container: a value that can be compared, shown as compose, and created; pure."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Address, IPv4Network
from typing import Any

from opsctl.images.definition import USER, USER_ID
from opsctl.model.resources import ALIKE, Resources
from opsctl.model.topology import OUTSIDE
from opsctl.model.value import Value
from opsctl.services.base import (
    Address,
    BusProbe,
    HttpProbe,
    JournalProbe,
    ObjectProbe,
    Service,
    SqlProbe,
)
from opsctl.targets.docker import naming
from opsctl.targets.docker.host import DATA, HELD, SOCKETS

RESTART = "always"
"""Not `unless-stopped`: an engine that was killed stops its containers when it starts again, and
takes them for stopped by a person (Docker 20.10)."""
_REALTIME = (
    "import os, sys; "
    "os.sched_setscheduler(0, os.SCHED_FIFO, os.sched_param(int(sys.argv[1]))); "
    "os.execv(sys.argv[2], sys.argv[2:])"
)
"""Takes a priority that the container may have, and becomes the app."""
DROPPED = ("ALL",)
"""Capabilities that no container has, but for those that it is given."""
SECURITY = ("no-new-privileges",)
LOG_MB, LOG_FILES = 10, 4
SHARES, BACKGROUND_SHARES = 1_024, 102
"""What is off the order path stands back: a tenth of the others' share of the processors."""
TMP_MB = 256
_ADDRESS = re.compile(r"(?<![0-9.])(?:[0-9]{1,3}\.){3}[0-9]{1,3}(?![0-9.])")


class Mount(Value):
    """A volume in a container."""

    volume: str
    path: str
    read_only: bool = False


class Container(Value):
    """Everything that an engine is told of a service's container."""

    name: str
    image: str
    user: str = USER
    """Also where an official image would begin as root."""
    command: tuple[str, ...]
    environment: dict[str, str]
    labels: dict[str, str]
    mounts: tuple[Mount, ...]
    networks: dict[str, str]
    """Name of the network to the fixed address in it; empty for one that the engine chooses."""
    in_memory: dict[str, str]
    """Folders in memory, with their options."""
    shares: int
    stop_signal: str
    stop_within_s: int
    published: dict[int, Address] = {}
    """Ports that other hosts reach, and where on this host."""
    rights: tuple[str, ...] = ()
    """Capabilities; none but for those that hand things out."""
    resources: Resources = ALIKE
    probed: bool = True
    """Whether the engine runs its image's own health check."""
    restarts: bool = True
    """Whether the engine starts it again when it ends by itself."""


def container(
    environment: str,
    identity: str,
    service: Service,
    level: int,
    others: Sequence[Service],
    places: Mapping[str, IPv4Network],
    addresses: Mapping[str, IPv4Address],
) -> Container:
    """Return the container of a service.

    `others` are all services of the environment, `places` the networks by place, `addresses`
    the service's own by place. It is attached to every network of which its configuration
    names an address, and to that which leads outside where it goes out; it reads the data of
    another service where it names its folder.
    """
    allowed = service.resources or ALIKE
    text = _said(service)
    named = {
        place
        for place, network in places.items()
        for found in _ADDRESS.findall(text)
        if IPv4Address(found) in network
    }
    out = (OUTSIDE,) if service.goes_out else ()
    attached = sorted({service.site, *addresses, *named, *out})
    reads = [o.key for o in others if o.key != service.key and f"{DATA}/{o.key}/" in text]
    return Container(
        name=naming.container(environment, service.key),
        image=service.image,
        command=_command(service.argv, allowed.realtime),
        environment={
            "HOME": f"{DATA}/{service.key}",
            "TZ": "UTC",
            **probe_settings(service),
            **service.environment,
        },
        labels=naming.of_service(environment, identity, service, level),
        mounts=(
            Mount(volume=naming.held(environment, service.key), path=HELD, read_only=True),
            Mount(volume=naming.data(environment, service.key), path=f"{DATA}/{service.key}"),
            *(
                Mount(volume=naming.data(environment, k), path=f"{DATA}/{k}", read_only=True)
                for k in reads
            ),
        ),
        networks={
            naming.network(environment, place): str(addresses.get(place, "")) for place in attached
        },
        in_memory={
            "/tmp": f"size={TMP_MB}m,mode=1777",  # noqa: S108 - the container's own
            SOCKETS: f"size=16m,mode=0700,uid={USER_ID},gid={USER_ID}",
        },
        shares=BACKGROUND_SHARES if service.background else SHARES,
        resources=allowed,
        stop_signal=f"SIG{service.stop_signal}",
        stop_within_s=service.stop_within_s,
        published={service.ports[name]: at for name, at in service.published.items()},
    )


def _command(argv: tuple[str, ...], realtime: int) -> tuple[str, ...]:
    """Return the words that start an app, at a real-time priority where it has one.

    A program that brings its own command takes its priority itself: it is allowed to.
    """
    if not (realtime and argv):
        return argv
    return (argv[0], "-I", "-S", "-c", _REALTIME, str(realtime), *argv)


def bounds(allowed: Resources) -> dict[str, Any]:
    """Return what bounds a container, in the words that its engine and compose share."""
    return {
        "mem_limit": f"{allowed.memory_mb}m",
        "memswap_limit": f"{allowed.memory_mb}m",  # none of it on a disk
        "mem_reservation": f"{allowed.reserved_mb}m" if allowed.reserved_mb else None,
        "shm_size": f"{allowed.shm_mb}m",
        "pids_limit": allowed.processes,
        "oom_score_adj": allowed.oom_score,
    }


def limits(allowed: Resources) -> dict[str, int]:
    """Return the limits of a process by their names; -1: none."""
    found = {
        "nofile": allowed.open_files,
        "memlock": -1 if allowed.lock_memory else 0,
        "rtprio": allowed.realtime,
    }
    return {name: value for name, value in found.items() if value}


def probe_settings(service: Service) -> dict[str, str]:
    """Return the variables by which an image's own health check reaches its server."""
    at, probe = service.probe.at, service.probe
    match probe:
        case SqlProbe():
            return {"PGHOST": at.host, "PGPORT": str(at.port)}
        case BusProbe():
            return {
                "PROBE_ADDRESS": str(at),
                "PROBE_PASSWORD_FILE": f"{HELD}/secrets/{probe.secret}",
            }
        case JournalProbe():
            scrape = service.scrape
            return {
                "PROBE_URL": f"https://{scrape.at if scrape else at}/health",
                "PROBE_CA": f"{HELD}/secrets/{probe.ca}",
                "PROBE_CERT": f"{HELD}/secrets/{probe.cert}",
                "PROBE_KEY": f"{HELD}/secrets/{probe.key}",
            }
        case ObjectProbe():
            return {"PROBE_URL": f"http://{at}/healthz"}
        case HttpProbe() if service.kind == "server":
            return {
                "PROBE_URL": f"http://{at}{probe.path}",
                "PROBE_PASSWORD_FILE": f"{HELD}/secrets/{probe.secret}",
                **({"PROBE_USER": probe.user} if probe.user else {}),
            }
    return {}


def _said(service: Service) -> str:
    """Return everything that a service is configured with."""
    files = (file.content for file in service.files)
    return "\n".join((*service.argv, *service.environment.values(), *files))
