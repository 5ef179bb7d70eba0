"""How this process reaches what is on a host that is not this machine: by the host's gate."""

from __future__ import annotations

from collections.abc import Sequence
from functools import partial

from opsctl.images.running import Runnable
from opsctl.model.hosts import DockerHost
from opsctl.model.topology import BETWEEN, OUTSIDE
from opsctl.services.base import Address, Service
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.hosts import Hosts
from opsctl.targets.docker.reach import Forwarder
from opsctl.targets.docker.spec import Container

WAIT = "import signal as s; s.pthread_sigmask(s.SIG_BLOCK, {s.SIGTERM}); s.sigwait({s.SIGTERM})"


def behind(host: DockerHost) -> bool:
    """Return whether a host has a gate: all that an environment names, wherever they are."""
    return bool(host.engine)


class Ways:
    """The ways to the containers of one environment."""

    def __init__(self, environment: str, hosts: Hosts) -> None:
        """Know the hosts; connect to none."""
        self._hosts = hosts
        self._forwarders = {
            host.name: Forwarder(partial(hosts.socket, host), naming.gate(environment, host.name))
            for host in hosts.all
            if behind(host)
        }

    def to(self, place: str, at: Address) -> Address:
        """Return an address in a place with the way to it."""
        forwarder = self._forwarders.get(self._hosts.of(place).name)
        if forwarder is None:
            return at
        return at.model_copy(update={"via": forwarder.way(at.host, at.port)})

    def of(self, service: Service) -> Service:
        """Return a service with the way to what its probe asks, and to the books that it writes."""
        asked = {"probe": service.probe, "books": service.books}
        led = {
            name: probe.model_copy(update={"at": at})
            for name, probe in asked.items()
            if probe and (at := self.to(service.site, probe.at)).via is not None
        }
        return service.model_copy(update=led) if led else service


def open_gate(where: Containers, host: DockerHost, places: Sequence[str], image: Runnable) -> None:
    """Have a container on a host that is in the network of each of its places, and outside."""
    mine = [place for place in places if place in (*host.places, host.relay, BETWEEN, OUTSIDE)]
    name = naming.gate(where.environment, host.name)
    labels = naming.labels(where.environment, where.identity, **{naming.ROLE: "gate"})
    wanted = Container(
        name=name,
        image=image.reference,
        command=(*image.python, "-I", "-S", "-c", WAIT),
        environment={},
        labels=labels,
        mounts=(),
        networks={naming.network(where.environment, place): "" for place in mine},
        in_memory={},
        shares=1_024,
        stop_signal="SIGTERM",
        stop_within_s=2,
    )
    digest = wanted.digest()
    found = where.find(name)
    if found is not None:
        same = found["Config"]["Labels"].get(naming.MADE_FROM) == digest
        if same and found["State"]["Running"]:
            return
        where.remove(name, 2)
    where.create(
        wanted.model_copy(update={"labels": {**labels, naming.MADE_FROM: digest}}),
        healthcheck={"Test": ["NONE"]},
    )
    where.start(name)
