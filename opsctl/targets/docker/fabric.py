"""What a place has in an engine beside its services, as values: network, volumes, keeper; pure."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from opsctl.images.definition import USER_ID
from opsctl.images.running import Runnable
from opsctl.model.resources import Resources
from opsctl.model.topology import OUTSIDE
from opsctl.model.value import Value
from opsctl.services.base import Service
from opsctl.targets.docker import keeping, naming
from opsctl.targets.docker.host import DATA
from opsctl.targets.docker.spec import Container, Mount

HELD_MB = 4
KEEPER_STOPS_WITHIN_S = 2
KEEPER = Resources(memory_mb=64, reserved_mb=16, processes=32)


class Network(Value):
    """The network of a place; nothing outside of the engine's machine reaches an internal one."""

    name: str
    subnet: str
    chosen_from: str
    """Where the engine takes addresses that nobody named."""
    gateway: str
    internal: bool
    labels: dict[str, str]


class Volume(Value):
    """A volume of the engine; options are its driver's."""

    name: str
    options: dict[str, str] = {}
    labels: dict[str, str]


def network(
    environment: str,
    identity: str,
    place: str,
    addresses: IPv4Network,
    services: Sequence[Service],
) -> Network:
    """Return the network of a place: fixed addresses in its lower half, others above."""
    upper = list(addresses.subnets(prefixlen_diff=1))[1]
    return Network(
        name=naming.network(environment, place),
        subnet=str(addresses),
        chosen_from=str(upper),
        gateway=str(addresses[1]),
        # Only what carries links is reached from outside of its host, or reaches out of it.
        internal=place != OUTSIDE and not any(service.published for service in services),
        labels=naming.labels(environment, identity),
    )


def volumes(
    environment: str, identity: str, place: str, services: Sequence[Service]
) -> tuple[Volume, ...]:
    """Return the volumes of a place and of the services in it."""
    labels = naming.labels(environment, identity)
    memory = {"type": "tmpfs", "device": "tmpfs", "o": f"size={HELD_MB}m,mode=0700"}
    found = [Volume(name=naming.vault(environment, place), labels=labels)]
    for each in services:
        found += [
            Volume(name=naming.data(environment, each.key), labels=labels),
            Volume(name=naming.held(environment, each.key), options=memory, labels=labels),
        ]
    return tuple(found)


def keeper(
    environment: str, identity: str, place: str, services: Sequence[Service], image: Runnable
) -> Container:
    """Return the keeper of a place, in an image that has Python; its label is its digest."""
    source = Path(keeping.__file__).read_text(encoding="utf-8")
    keys = [service.key for service in services]
    made = Container(
        name=naming.keeper(environment, place),
        image=image.reference,
        user="0:0",
        command=(*image.python, "-I", "-S", "-c", source, str(USER_ID)),
        environment={},
        labels=naming.labels(environment, identity, **{naming.ROLE: "keeper"}),
        mounts=(
            Mount(volume=naming.vault(environment, place), path=keeping.VAULT),
            *(
                Mount(volume=naming.held(environment, key), path=f"{keeping.HELD}/{key}")
                for key in keys
            ),
            *(Mount(volume=naming.data(environment, key), path=f"{DATA}/{key}") for key in keys),
        ),
        networks={},
        in_memory={},
        shares=1_024,
        resources=KEEPER,
        stop_signal="SIGTERM",
        stop_within_s=KEEPER_STOPS_WITHIN_S,
        rights=("CHOWN", "DAC_OVERRIDE", "FOWNER"),
        probed=False,
    )
    return made.model_copy(update={"labels": {**made.labels, naming.MADE_FROM: made.digest()}})


def of(
    environment: str,
    identity: str,
    services: Sequence[Service],
    addresses: Callable[[str], IPv4Network],
    image: Runnable,
) -> tuple[list[Container], list[Network], list[Volume]]:
    """Return the keepers, networks and volumes of all places; `addresses` are those of one."""
    keepers: list[Container] = []
    networks: list[Network] = []
    made: list[Volume] = []
    for place in dict.fromkeys(service.site for service in services):
        own = [service for service in services if service.site == place]
        networks.append(network(environment, identity, place, addresses(place), own))
        if any(service.goes_out for service in own):
            networks.append(network(environment, identity, OUTSIDE, addresses(OUTSIDE), ()))
        made += volumes(environment, identity, place, own)
        keepers.append(keeper(environment, identity, place, own, image))
    return keepers, networks, made
