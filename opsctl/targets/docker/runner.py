"""Starts and stops the containers of services."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from opsctl.errors import DeployFailed
from opsctl.images.engine import errors
from opsctl.images.running import Runnable
from opsctl.services.base import Service, Step
from opsctl.targets.applying import Cancelled
from opsctl.targets.docker import naming
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.host import DATA
from opsctl.targets.docker.hosts import Fleet
from opsctl.targets.docker.place import Place
from opsctl.targets.docker.spec import Container
from opsctl.targets.secrets import Secrets

STEP_WITHIN_S = 120.0
STOP_GRACE_S = 5
POLL_S = 0.05
TAIL_LINES = 20
_CLEAR = (
    "import os, shutil, sys\n"
    "for path in sys.argv[1:]:\n"
    "    shutil.rmtree(path) if os.path.isdir(path) else os.path.exists(path) and os.unlink(path)\n"
)


@dataclass(frozen=True)
class Runner:
    """A `Runner` of containers."""

    fleet: Fleet
    secrets: Secrets
    services: Mapping[str, Service]
    places: Mapping[str, Place]
    specs: Mapping[str, Container]
    python: Runnable
    """An image that has Python."""
    _started: set[str] = field(default_factory=set)

    def running(self, key: str) -> bool:
        """Return whether its container runs."""
        found = self.fleet.of(key).find(naming.container(self.fleet.environment, key))
        return found is not None and bool(found["State"]["Running"])

    def stop(self, key: str) -> None:
        """Stop and remove its container."""
        known = self.services.get(key)
        within_s = (known.stop_within_s if known else 30) + STOP_GRACE_S
        name = naming.container(self.fleet.environment, key)
        if self.fleet.of(key).find(name) is not None:
            self.fleet.of(key).remove(name, within_s)

    def prepare(self, service: Service, cancelled: Callable[[], bool]) -> Iterator[str]:
        """Hand it its files and secrets, and do its one-time steps."""
        place = self.places[service.site]
        place.give(
            service,
            {
                **{f"etc/{f.path}": self.secrets.fill_in(f.content) for f in service.files},
                **{f"secrets/{name}": self.secrets.read(name) + "\n" for name in service.secrets},
            },
        )
        if service.locks:
            self._clear(service, service.locks)
        for step in service.setup:
            if cancelled():
                raise Cancelled
            done = f"{DATA}/{service.key}/.done/{step.name}"
            if self.fleet.of(service.key).has(place.keeper, done):
                continue
            yield step.name
            if step.clears is not None:
                self._clear(service, (step.clears,))
            self._step(service, step)
            at = f"{datetime.now(UTC).isoformat()}\n"
            marker = {f".done/{step.name}": at}
            self.fleet.of(service.key).put(place.keeper, f"{DATA}/{service.key}", marker)

    def _clear(self, service: Service, paths: Sequence[str]) -> None:
        """Remove what is named of a service's data, whatever its own image can run."""
        words = (*self.python.python, "-I", "-S", "-c", _CLEAR, *paths)
        self._helper(service, "clear", words, image=self.python.reference)

    def _step(self, service: Service, step: Step) -> None:
        self._helper(service, step.name, step.argv, self.secrets.fill_in(step.stdin))

    def _helper(
        self,
        service: Service,
        name: str,
        command: tuple[str, ...],
        stdin: str = "",
        image: str = "",
    ) -> None:
        """Run a command in a container like the service's, without a network, and remove it."""
        where, spec = self.fleet.of(service.key), self.specs[service.key]
        labels = naming.labels(where.environment, where.identity)
        wanted = spec.model_copy(
            update={
                "name": f"{spec.name}-{name}",
                "command": command,
                "image": image or spec.image,
                "networks": {},
                "labels": labels | {naming.ROLE: "step"},
                "probed": False,
                "restarts": False,
            }
        )
        where.remove(wanted.name, 0)
        where.create(wanted, stdin_open=bool(stdin))
        try:
            status, said = _ran(where, wanted.name, stdin.encode())
        finally:
            where.remove(wanted.name, 0)
        if status != 0:
            lines = [self.secrets.hidden(line, service.secrets) for line in said.splitlines()]
            raise DeployFailed(
                f"{service.key}: {name} "
                + ("did not end in time" if status is None else f"failed with status {status}"),
                details=lines[-TAIL_LINES:],
            )

    def start(self, service: Service) -> None:
        """Make its container and start it."""
        spec = self.specs[service.key]
        where = self.fleet.of(service.key)
        where.create(spec)
        where.start(spec.name)
        self._started.add(service.key)

    def ended(self, service: Service) -> str:
        """Return how it ended, also where the engine is about to start it again."""
        found = self.fleet.of(service.key).find(self.specs[service.key].name)
        if found is None:
            return "its container is gone"
        if service.key in self._started and found["RestartCount"]:
            return ending(found) or "ended at its start, and was started again"
        return ending(found)

    def secret(self, name: str) -> str:
        """Return a secret."""
        return self.secrets.read(name)

    def tail(self, service: Service) -> list[str]:
        """Return the end of its log."""
        where = self.fleet.of(service.key)
        with errors(where.engine.address):
            raw = where.api.logs(self.specs[service.key].name, tail=TAIL_LINES)
        lines = raw.decode(errors="replace").splitlines()
        return [self.secrets.hidden(line, service.secrets) for line in lines]


def _ran(containers: Containers, name: str, stdin: bytes) -> tuple[int | None, str]:
    api = containers.api
    with errors(containers.engine.address):
        line = api.attach_socket(name, params={"stdin": 1, "stream": 1}) if stdin else None
        api.start(name)
        if line is not None:
            raw: Any = getattr(line, "_sock", line)
            raw.sendall(stdin)
            raw.shutdown(socket.SHUT_WR)
        until = time.monotonic() + STEP_WITHIN_S
        while (state := api.inspect_container(name)["State"])["Running"]:
            if time.monotonic() > until:
                return None, ""
            time.sleep(POLL_S)
        if line is not None:
            line.close()
        return int(state["ExitCode"]), api.logs(name).decode(errors="replace")


def ending(found: Mapping[str, Any]) -> str:
    """Return how a container ended, by what the engine says of it; empty while it runs."""
    state = found["State"]
    if state["Running"] and not state["Restarting"]:
        return ""
    if state.get("OOMKilled"):
        return "was killed for lack of memory"
    if state.get("Error"):
        return f"cannot be started: {state['Error']}"
    return f"ended with status {state['ExitCode']}"
