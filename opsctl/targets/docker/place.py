"""What a place has in an engine beside its services: its network, its volumes, its keeper."""

from __future__ import annotations

import threading
import time
from collections.abc import Mapping, Sequence
from ipaddress import IPv4Network
from pathlib import Path

from opsctl.errors import DeployFailed
from opsctl.images.definition import USER_ID
from opsctl.images.engine import errors
from opsctl.images.running import Runnable
from opsctl.services.base import Service
from opsctl.targets.docker import keeping, naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.host import DATA
from opsctl.targets.docker.spec import Container, Mount

FILLED_WITHIN_S = 20.0
POLL_S = 0.02
HELD_MB = 4


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
        self._name, self._network = name, network
        self._services = tuple(services)
        self._giving = threading.Lock()
        self.keeper = naming.keeper(containers.environment, name)

    def prepare(self, image: Runnable) -> None:
        """Make the network, the volumes and the keeper, of an image that has Python."""
        where = self._containers
        labels = naming.labels(where.environment, where.identity)
        with errors(where.engine.address):
            self._make_network(labels)
            known = {
                v["Name"]
                for v in self._api.volumes(
                    filters={"label": [f"{naming.ENVIRONMENT}={where.environment}"]}
                )["Volumes"]
                or ()
            }
            for name, options in self._volumes().items():
                if name not in known:
                    self._api.create_volume(name, driver_opts=options or None, labels=labels)
        self._keep(image)

    def _make_network(self, labels: Mapping[str, str]) -> None:
        name = naming.network(self._containers.environment, self._name)
        wanted = str(self._network)
        for found in self._api.networks(names=[name]):
            if found["Name"] == name:
                if [c["Subnet"] for c in found["IPAM"]["Config"]] == [wanted]:
                    return
                self._api.remove_network(name)
        upper = list(self._network.subnets(prefixlen_diff=1))[1]
        pool = {"Subnet": wanted, "IPRange": str(upper), "Gateway": str(self._network[1])}
        self._api.create_network(
            name,
            driver="bridge",
            ipam={"Driver": "default", "Config": [pool]},
            labels=labels,
            # Only what carries the links between hosts is reached from outside its own.
            internal=not any(service.published for service in self._services),
        )

    def _volumes(self) -> dict[str, dict[str, str]]:
        environment = self._containers.environment
        memory = {"type": "tmpfs", "device": "tmpfs", "o": f"size={HELD_MB}m,mode=0700"}
        found: dict[str, dict[str, str]] = {naming.vault(environment, self._name): {}}
        for service in self._services:
            found[naming.data(environment, service.key)] = {}
            found[naming.held(environment, service.key)] = memory
        return found

    def _keep(self, image: Runnable) -> None:
        """Have a keeper that knows every service of the place."""
        where = self._containers
        source = Path(keeping.__file__).read_text(encoding="utf-8")
        keys = [service.key for service in self._services]
        wanted = Container(
            name=self.keeper,
            image=image.reference,
            user="0:0",
            command=(*image.python, "-I", "-S", "-c", source, str(USER_ID)),
            environment={},
            labels=naming.labels(where.environment, where.identity, **{naming.ROLE: "keeper"}),
            mounts=(
                Mount(volume=naming.vault(where.environment, self._name), path=keeping.VAULT),
                *(
                    Mount(volume=naming.held(where.environment, k), path=f"{keeping.HELD}/{k}")
                    for k in keys
                ),
                *(
                    Mount(volume=naming.data(where.environment, k), path=f"{DATA}/{k}")
                    for k in keys
                ),
            ),
            networks={},
            in_memory={},
            shares=1_024,
            stop_signal="SIGTERM",
            stop_within_s=2,
            rights=("CHOWN", "DAC_OVERRIDE", "FOWNER"),
        )
        digest = wanted.digest()
        found = where.find(self.keeper)
        if found is not None:
            same = found["Config"]["Labels"].get(naming.MADE_FROM) == digest
            if same and found["State"]["Running"]:
                return
            where.remove(self.keeper, 2)
        wanted = wanted.model_copy(update={"labels": {**wanted.labels, naming.MADE_FROM: digest}})
        where.create(wanted, healthcheck={"Test": ["NONE"]})
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
