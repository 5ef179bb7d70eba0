"""What a place has in an engine beside its services: its network, its volumes, its keeper."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Mapping, Sequence
from ipaddress import IPv4Network

from opsctl.errors import Contended, DeployFailed, OpsctlError
from opsctl.images.engine import errors
from opsctl.images.running import Runnable
from opsctl.services.base import Service
from opsctl.targets.docker import fabric, keeping, naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.spec import Container

FILLED_WITHIN_S = 20.0
POLL_S = 0.02


class Place:
    """One place of an environment: a site, the witness, the market."""

    def __init__(
        self,
        containers: Containers,
        name: str,
        network: IPv4Network,
        services: Sequence[Service],
    ) -> None:
        """Name the place and what runs there; make nothing."""
        self._containers = containers
        self._api = containers.api
        self._name, self.network = name, network
        self._services = tuple(services)
        self._giving = threading.Lock()
        self.keeper = naming.keeper(containers.environment, name)

    def claim(self) -> None:
        """Make the network alone: of two who want the same addresses, an engine refuses one.

        Raises `Contended`.
        """
        from docker.errors import APIError

        where = self._containers
        with errors(where.engine.address):
            try:
                self._make_network()
            except APIError as fault:
                if "overlap" not in str(fault.explanation):
                    raise
                raise Contended(
                    f"another environment has taken {self.network} in {where.engine.address}",
                    hint=f"opsctl deploy {where.environment} chooses others",
                ) from fault

    def give_up(self) -> None:
        """Remove the network, to which nothing was attached yet."""
        with errors(self._containers.engine.address):
            self._api.remove_network(naming.network(self._containers.environment, self._name))

    def prepare(self, image: Runnable) -> None:
        """Make the network, the volumes and the keeper, of an image that has Python."""
        where = self._containers
        of = (where.environment, where.identity, self._name)
        with errors(where.engine.address):
            self._make_network()
            known = {
                v["Name"]
                for v in self._api.volumes(
                    filters={"label": [f"{naming.ENVIRONMENT}={where.environment}"]}
                )["Volumes"]
                or ()
            }
            for volume in fabric.volumes(*of, self._services):
                if volume.name not in known:
                    self._api.create_volume(
                        volume.name,
                        driver_opts=volume.options or None,
                        labels={**volume.labels, **where.marks},
                    )
        self._keep(fabric.keeper(*of, self._services, image))

    def _make_network(self) -> None:
        of = self._containers.environment, self._containers.identity, self._name
        wanted = fabric.network(*of, self.network, self._services)
        for found in self._api.networks(names=[wanted.name]):
            if found["Name"] == wanted.name:
                if [c["Subnet"] for c in found["IPAM"]["Config"]] == [wanted.subnet]:
                    return
                self._api.remove_network(wanted.name)
        pool = {
            "Subnet": wanted.subnet,
            "IPRange": wanted.chosen_from,
            "Gateway": wanted.gateway,
        }
        self._api.create_network(
            wanted.name,
            driver="bridge",
            ipam={"Driver": "default", "Config": [pool]},
            labels={**wanted.labels, **self._containers.marks},
            internal=wanted.internal,
        )

    def _keep(self, wanted: Container) -> None:
        """Have a keeper that knows every service of the place."""
        where = self._containers
        found = where.find(self.keeper)
        if found is not None:
            made_from = found["Config"]["Labels"].get(naming.MADE_FROM)
            if made_from == wanted.labels[naming.MADE_FROM] and found["State"]["Running"]:
                return
            where.remove(self.keeper, wanted.stop_within_s)
        where.create(wanted)
        where.start(self.keeper)
        self._filled(1)

    def give(self, service: Service, files: Mapping[str, str]) -> None:
        """Give a service its files, by their paths within what it holds; return once it has them.

        Raises `DeployFailed` where the keeper does not take them.
        """
        where = self._containers
        listed = {**files, keeping.WANTED: "\n".join(sorted(files))}
        with self._giving:  # a round that began before these files came does not count
            where.put(
                self.keeper, keeping.VAULT, {f"{service.key}/{p}": t for p, t in listed.items()}
            )
            before = self._count()
            with errors(where.engine.address):
                self._api.kill(self.keeper, signal="SIGHUP")
            self._filled(before + 1)

    def _count(self) -> int:
        with errors(self._containers.engine.address):
            return int(self._api.logs(self.keeper, stderr=False).count(b"filled"))

    def _filled(self, times: int) -> None:
        until = time.monotonic() + FILLED_WITHIN_S
        while self._count() < times:
            if time.monotonic() > until:
                with errors(self._containers.engine.address):
                    said = self._api.logs(self.keeper, tail=10).decode(errors="replace")
                raise DeployFailed(
                    f"{self.keeper} does not hand out configuration and secrets",
                    hint=f"docker logs {self.keeper}",
                    details=said.splitlines(),
                )
            time.sleep(POLL_S)


def places_of(
    services: Sequence[Service],
    containers: Callable[[str], Containers],
    network: Callable[[str], IPv4Network],
) -> dict[str, Place]:
    """Return the places of services by name; `containers` and `network` are those of one."""
    of = {s.site: [each for each in services if each.site == s.site] for s in services}
    return {name: Place(containers(name), name, network(name), own) for name, own in of.items()}


def claim(places: Mapping[str, Place]) -> None:
    """Make the networks of places, the first addresses first, or none; raises `Contended`.

    A machine that works on the same engine at once may have chosen the same addresses, and
    nobody but the engine is asked by both.
    """
    claimed: list[Place] = []
    try:
        for place in sorted(places.values(), key=lambda each: each.network):
            place.claim()
            claimed.append(place)
    except OpsctlError:
        for place in claimed:
            place.give_up()
        raise
