"""What lies beneath the services of the docker target: uplinks, memory, the engine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.model.environment import Environment
from opsctl.model.topology import relay_of
from opsctl.services.links import NETWORK
from opsctl.targets.beneath import Ending, Uplink
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.faults import disk, engine, uplink, writes
from opsctl.targets.docker.faults.anew import Changed, start_anew
from opsctl.targets.docker.faults.uplink import Wire
from opsctl.targets.docker.hosts import Fleet, here

KEEPER_STOPS_S = 2
HANDED_WITHIN_S = 30.0
POLL_S = 0.1


class Ground:
    """Breaks and mends what the containers of one environment stand on."""

    def __init__(self, environment: Environment, fleet: Fleet) -> None:
        """Take the containers on every host; touch nothing."""
        self._environment, self._fleet = environment, fleet
        self._revival: engine.Revival | None = None

    def lacks_uplinks(self) -> str:
        """Return why the packets between places cannot be touched."""
        if not self._are_here():
            return "an engine is on another machine, whose packets opsctl does not touch"
        if os.geteuid() != 0:
            return "root alone may touch the packets of a container"
        return uplink.lacking()

    def lacks_memory_limits(self, services: Sequence[str]) -> str:
        """Return why memory cannot be limited: by an engine without the kernel's means for it."""
        limits = (self._fleet.of(key).engine.info.get("MemoryLimit") for key in services)
        return "" if all(limits) else "this engine's kernel does not limit memory of containers"

    def lacks_write_limits(self, services: Sequence[str]) -> str:
        """Return why writes cannot be slowed."""
        if not self._are_here() or os.geteuid() != 0:
            return "only root of the engine's machine limits the writes of containers"
        found = self._fleet.found()
        refused = (writes.lacking(found[k], disk.folder(self._fleet.of(k), k)) for k in services)
        return next(filter(None, refused), "")

    def lacks_engine(self, containers: Ending) -> str:
        """Return why the engine is not killed."""
        if self._fleet.hosts.apart:
            return "the environment is on several hosts, and a scenario does not say whose engine"
        return engine.lacking(self._where.engine, self._where.environment, containers)

    def set_uplink(self, place: str, state: Uplink) -> None:
        """Put the uplink of a place into a state; what carries it and is gone took it along."""
        wire = self._wire(place)
        if wire is not None:
            wire.set(state)
        elif state != Uplink():
            raise OpsctlError(f"what carries the uplink of {place} does not run")

    def limit_memory(self, services: Sequence[str], limit_mb: int) -> None:
        """Start services anew with so much memory; 0: with what they had before."""
        limit = limit_mb * 1024 * 1024

        def change(_: Changed) -> Changed:
            return {"Memory": limit, "MemorySwap": limit, "MemoryReservation": 0}

        for key in services:
            start_anew(self._fleet.of(key), key, change if limit_mb else None)

    def limit_writes(self, services: Sequence[str], per_s: int) -> None:
        """Let so many writes a second through; who was started anew meanwhile has no limit."""
        found = self._fleet.found()
        for key in services:
            if key in found:
                writes.limit(found[key], disk.folder(self._fleet.of(key), key), per_s)

    def losing_engine(self) -> Callable[[], None]:
        """Return what kills the engine; whatever becomes of opsctl, it is started again."""
        self._revival = engine.Revival(self._where.engine.address)
        return self._revival.kill

    def restore_engine(self) -> None:
        """Have the engine started again if it was killed, and wait until it answers."""
        revival, self._revival = self._revival, None  # a drill that is stopped comes here twice
        if revival is not None:
            revival.let_go()
        engine.await_back(self._where.engine.address)
        self._hand_out_again()

    def _hand_out_again(self) -> None:
        """Start the keepers again, so that they and the services hold the same volumes in memory.

        An engine that comes back to containers that lived on has lost count of who uses a volume
        in memory: a service that ends later is given a new one, which is empty, unless the
        keeper has taken and filled it before (seen with Docker 20.10).
        """
        where = self._where
        with errors(where.engine.address):
            of = [f"{naming.ENVIRONMENT}={where.environment}", f"{naming.ROLE}={naming.KEEPER}"]
            keepers = where.api.containers(filters={"label": of})
        for keeper in keepers:
            since = time.time()
            with errors(where.engine.address):
                where.api.restart(keeper["Id"], timeout=KEEPER_STOPS_S)
            until = time.monotonic() + HANDED_WITHIN_S
            while not self._handed_out(keeper["Id"], since):
                if time.monotonic() > until:
                    raise OpsctlError(f"{keeper['Names'][0]} hands nothing out")
                time.sleep(POLL_S)

    def _handed_out(self, keeper: str, since: float) -> bool:
        with errors(self._where.engine.address):
            return b"filled" in self._where.api.logs(keeper, stderr=False, since=since)

    @property
    def _where(self) -> Containers:
        """The containers of the only host."""
        return self._fleet.on(self._fleet.hosts.all[0])

    def _are_here(self) -> bool:
        return all(here(self._fleet.hosts.engine(host)) for host in self._fleet.hosts.all)

    def _wire(self, place: str) -> Wire | None:
        carries = f"{NETWORK}@{relay_of(self._environment, place)}"
        found = self._fleet.at(place).found().get(carries)
        if found is None or not found["State"]["Pid"]:
            return None
        networks: Mapping[str, Any] = found["NetworkSettings"]["Networks"]
        there = networks.get(naming.network(self._environment.name, place))
        if there is None or not there["IPAddress"]:
            raise OpsctlError(f"{carries} is not attached to {place}")
        return Wire(int(found["State"]["Pid"]), str(there["IPAddress"]))
