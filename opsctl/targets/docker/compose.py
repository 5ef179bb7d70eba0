"""What is configured, as a compose file: to be read, reviewed and compared; pure.

Made from the very values that are applied, so that it cannot say anything else. Secrets are
not in it: containers read them from files that a keeper hands out, and where configuration
holds one, its name stands in its place.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import yaml

from opsctl.images.running import Runnable
from opsctl.services.base import Service
from opsctl.targets.docker import naming
from opsctl.targets.docker.fabric import Network, Volume
from opsctl.targets.docker.spec import (
    DROPPED,
    LOG_FILES,
    LOG_MB,
    RESTART,
    SECURITY,
    Container,
    bounds,
    limits,
)

HEAD = """\
# {environment}, as opsctl deploys it: made by `opsctl plan {environment} --output compose`.
# To read and to compare, not to be brought up: secrets, one-time steps and the order of
# starting are opsctl's, and a keeper that nothing was given has nothing to hand out.
"""


class _Text(yaml.SafeDumper):
    """Writes text of several lines as such."""


def _text(dumper: yaml.SafeDumper, value: str) -> yaml.Node:
    style = "|" if "\n" in value else None
    return dumper.represent_scalar("tag:yaml.org,2002:str", value, style=style)


_Text.add_representer(str, _text)


def text(
    environment: str,
    services: Mapping[str, tuple[Service, Container]],
    images: Mapping[str, Runnable],
    keepers: Sequence[Container],
    networks: Sequence[Network],
    volumes: Sequence[Volume],
    hosts: Mapping[str, str] | None = None,
) -> str:
    """Return the compose file of an environment; `images` are by the names of services.

    `hosts` are by place, where it is on more engines than one.
    """
    shown = {
        _short(environment, made): {
            **entry(made, images[service.name]),
            "x-opsctl": _beside(service, images[service.name], (hosts or {}).get(service.site)),
        }
        for service, made in services.values()
    }
    shown |= {_short(environment, each): entry(each) for each in keepers}
    file = {
        "name": naming.of(environment),
        "services": shown,
        "networks": {each.name: _network(each) for each in networks},
        "volumes": {each.name: _volume(each) for each in volumes},
    }
    written = yaml.dump(_literal(file), Dumper=_Text, sort_keys=False, width=100)
    return HEAD.format(environment=environment) + written


def entry(made: Container, image: Runnable | None = None) -> dict[str, Any]:
    """Return a container as a service of a compose file; `image` says how it probes itself."""
    probe = image.healthcheck if image and made.probed else ()
    said: dict[str, Any] = {
        "container_name": made.name,
        "hostname": made.name,
        "image": made.image,
        "user": made.user,
        "entrypoint": [] if made.command else None,
        "command": list(made.command),
        "working_dir": made.environment.get("HOME"),
        "environment": made.environment,
        "labels": made.labels,
        "volumes": [
            {
                "type": "volume",
                "source": mount.volume,
                "target": mount.path,
                "read_only": mount.read_only,
                "volume": {"nocopy": True},
            }
            for mount in made.mounts
        ],
        "tmpfs": [f"{path}:{options}" for path, options in made.in_memory.items()],
        "networks": {
            name: {"ipv4_address": address} if address else {}
            for name, address in made.networks.items()
        },
        "ports": [
            {"target": int(port), "host_ip": at.host, "published": str(at.port), "mode": "host"}
            for port, at in made.published.items()
        ],
        "network_mode": None if made.networks else "none",
        "read_only": True,
        "cap_drop": list(DROPPED),
        "cap_add": list(made.rights),
        "security_opt": list(SECURITY),
        "restart": RESTART if made.restarts else "no",
        "stop_signal": made.stop_signal,
        "stop_grace_period": f"{made.stop_within_s}s",
        "healthcheck": {"test": ["CMD", *probe]} if probe else None,
        "cpu_shares": made.shares,
        **bounds(made.resources),
        "cpuset": made.resources.cpus,
        "ulimits": limits(made.resources),
        "logging": {
            "driver": "json-file",
            "options": {"max-size": f"{LOG_MB}m", "max-file": str(LOG_FILES)},
        },
    }
    if not made.probed:
        said["healthcheck"] = {"disable": True}
    bare = ("entrypoint",) if made.command else ()
    return {key: value for key, value in said.items() if value or key in bare}


def _beside(service: Service, image: Runnable, host: str | None) -> dict[str, Any]:
    """Return what a compose file has no words for."""
    said = {
        "purpose": service.purpose,
        "host": host,
        "image": f"{image.image} {image.revision}".strip(),
        "waits": list(service.waits),
        "once": [step.name for step in service.setup],
        "secrets": list(service.secrets),
        "files": {file.path: file.content for file in service.files},
    }
    return {key: value for key, value in said.items() if value}


def _network(each: Network) -> dict[str, Any]:
    pool = {"subnet": each.subnet, "ip_range": each.chosen_from, "gateway": each.gateway}
    return {
        "name": each.name,
        "driver": "bridge",
        "internal": each.internal,
        "ipam": {"driver": "default", "config": [pool]},
        "labels": each.labels,
    }


def _volume(each: Volume) -> dict[str, Any]:
    options = {"driver_opts": each.options} if each.options else {}
    return {"name": each.name, "driver": "local", **options, "labels": each.labels}


def _short(environment: str, made: Container) -> str:
    return made.name.removeprefix(naming.of(environment, ""))


def _literal(value: Any) -> Any:
    """Return a value in which compose finds no variable to fill in."""
    match value:
        case str():
            return value.replace("$", "$$")
        case dict():
            return {key: _literal(each) for key, each in value.items()}
        case list() | tuple():
            return [_literal(each) for each in value]
    return value
