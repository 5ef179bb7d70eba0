"""The engines of an environment: one a host, each opened when it is first asked.

`engines` is for whatever keeps something on every host of an environment.
"""

from __future__ import annotations

import contextlib
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from ipaddress import IPv4Network
from typing import Any

from opsctl.errors import OpsctlError, UsageError
from opsctl.images.engine import Engine, EngineRefused, connect, errors, refuse_full_disk
from opsctl.images.ssh import tunnel
from opsctl.model.environment import Environment
from opsctl.model.hosts import DockerHost, apart, host_of, hosts
from opsctl.services.base import Service
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers

AGAIN_S = 5.0
"""A host that did not answer is asked again after so long: asking may take ten seconds."""


class Hosts:
    """The hosts of one environment, and what runs of it on each."""

    def __init__(self, environment: Environment) -> None:
        """Name the hosts; connect to none."""
        self._environment = environment
        self.all = hosts(environment)
        self._engines: dict[str, Engine] = {}
        self._refused: dict[str, tuple[float, OpsctlError]] = {}
        self._connecting = threading.Lock()

    @property
    def apart(self) -> bool:
        """Whether there are several."""
        return apart(self._environment)

    def of(self, place: str) -> DockerHost:
        """Return the host of a place; the first for a place that no host has."""
        return host_of(self._environment, place)

    def engine(self, host: DockerHost) -> Engine:
        """Return the engine of a host; raises `EngineRefused`, which says what to do."""
        with self._connecting:
            if host.name not in self._engines:
                at, why = self._refused.get(host.name, (-AGAIN_S, None))
                if why is not None and time.monotonic() - at < AGAIN_S:
                    raise why
                try:
                    self._engines[host.name] = connect(host.engine or None, host.way)
                except OpsctlError as fault:
                    self._refused[host.name] = time.monotonic(), fault
                    raise
            return self._engines[host.name]

    def socket(self, host: DockerHost) -> str:
        """Return the address of a host's socket on this machine, which may lead to another.

        Raises `EngineRefused`.
        """
        address = self.engine(host).address
        return f"unix://{tunnel(address, host.way)}" if address.startswith("ssh://") else address

    def answering(self) -> tuple[dict[DockerHost, Engine], dict[DockerHost, OpsctlError]]:
        """Return the engine of every host that answers, and why the others do not."""
        up: dict[DockerHost, Engine] = {}
        down: dict[DockerHost, OpsctlError] = {}
        for host in self.all:
            try:
                up[host] = self.engine(host)
            except OpsctlError as fault:
                down[host] = fault
        return up, down


def engines(environment: Environment) -> Iterator[tuple[DockerHost, Engine]]:
    """Yield every host of an environment with its engine, each connected.

    Raises `EngineRefused` for one that does not answer, before any is yielded.
    """
    every = Hosts(environment)
    yield from [(host, every.engine(host)) for host in every.all]


class Fleet:
    """The containers of one environment on all of its hosts."""

    def __init__(
        self,
        hosts: Hosts,
        environment: str,
        identity: str,
        marks: Mapping[str, str] | None = None,
    ) -> None:
        """Work on these hosts; touch nothing. `marks` are labels of all that is made."""
        self.hosts, self.environment, self.identity = hosts, environment, identity
        self._marks = marks

    def on(self, host: DockerHost) -> Containers:
        """Return the containers of one host."""
        return Containers(self.hosts.engine(host), self.environment, self.identity, self._marks)

    def at(self, place: str) -> Containers:
        """Return the containers of the host of a place."""
        return self.on(self.hosts.of(place))

    def of(self, key: str) -> Containers:
        """Return the containers of the host of a service, by the service's key."""
        return self.at(key.partition("@")[2])

    def found(self) -> dict[str, Mapping[str, Any]]:
        """Return what the engines say of each service's container, by the service's key."""
        return {key: one for host in self.hosts.all for key, one in self.on(host).found().items()}

    def seen(
        self,
    ) -> tuple[dict[DockerHost, dict[str, Mapping[str, Any]]], dict[DockerHost, OpsctlError]]:
        """Return the same of each host that answers, and why the others do not."""
        up: dict[DockerHost, dict[str, Mapping[str, Any]]] = {}
        down: dict[DockerHost, OpsctlError] = {}
        for host in self.hosts.all:
            try:
                up[host] = self.on(host).found()
            except OpsctlError as fault:
                down[host] = fault
        return up, down


def here(engine: Engine) -> bool:
    """Return whether an engine's files and processes are this machine's."""
    return engine.address.startswith("unix://")


def networks(engine: Engine, *, but_of: str) -> Iterator[IPv4Network]:
    """Yield the networks of an engine that are not of an environment."""
    with errors(engine.address):
        for found in engine.client.api.networks():
            if (found["Labels"] or {}).get(naming.ENVIRONMENT) == but_of:
                continue
            for pool in found["IPAM"]["Config"] or ():
                with contextlib.suppress(ValueError):
                    yield IPv4Network(pool["Subnet"])


def refuse_unusable(hosts: Hosts, fleet: Fleet, services: Sequence[Service]) -> None:
    """Raise for what would fail on any host, before anything is changed on one.

    A host that does not answer, a full disk, a name or a port that a stranger has, a place
    that is on another host so far.
    """
    up, down = hosts.answering()
    down |= fleet.seen()[1]  # an engine that answered once may be gone
    for host, why in down.items():
        sites = " and ".join(host.places)
        raise EngineRefused(
            f"{why.message}; it is the host of {sites}, and nothing was changed on any host",
            hint=why.hint,
        )
    for host, engine in up.items():
        if not host.engine and not here(engine):
            raise UsageError(
                f"the engine {engine.address} of DOCKER_HOST is on another machine",
                hint=f"name it in the environment: trading:hosts: {{a: '{engine.address}'}}",
            )
        refuse_full_disk(engine)
    for service in services:
        fleet.of(service.key).find(naming.container(fleet.environment, service.key))
    for place in {service.site for service in services}:
        fleet.at(place).find(naming.keeper(fleet.environment, place))
    for host, engine in up.items():
        _refuse_elsewhere(hosts, host, fleet.on(host).found())
        _refuse_taken(
            engine,
            fleet.environment,
            [s for s in services if s.published and hosts.of(s.site) == host],
        )


def _refuse_elsewhere(hosts: Hosts, host: DockerHost, found: Mapping[str, Any]) -> None:
    """Refuse to move a place: its data would stay where it is."""
    for key in found:
        place = key.partition("@")[2]
        wanted = hosts.of(place)
        if place in wanted.places and wanted != host:
            raise UsageError(
                f"{key} is on {_named(host)}, and trading:hosts places {place} on "
                f"{_named(wanted)}: its data would stay behind",
                hint="put it back; or destroy the environment and deploy it anew",
            )


def _refuse_taken(engine: Engine, environment: str, services: Sequence[Service]) -> None:
    """Refuse a port of a host that another container has."""
    wanted = {at.port: service for service in services for at in service.published.values()}
    with errors(engine.address):
        for one in engine.client.api.containers():
            if one["Labels"].get(naming.ENVIRONMENT) == environment:
                continue
            for port in {p.get("PublicPort") for p in one["Ports"]} & set(wanted):
                raise EngineRefused(
                    f"port {port} of {engine.address} is taken by {one['Names'][0].lstrip('/')}",
                    hint="give the host another: trading:hosts: PLACE: {engine: ..., port: ...}",
                )


def left_behind(environment: str, down: Mapping[DockerHost, OpsctlError]) -> EngineRefused:
    """Return the error of a destroy that did not reach every host."""
    said = "; ".join(
        f"what {' and '.join(host.places)} had is still on {_named(host)} ({why.message})"
        for host, why in down.items()
    )
    return EngineRefused(
        f"{environment} is removed from the hosts that answer; {said}",
        hint=f"once it answers again: opsctl destroy {environment}",
    )


def _named(host: DockerHost) -> str:
    return host.engine or "the engine of this machine"
