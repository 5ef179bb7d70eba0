"""The `docker` target: every service a container, each place a network of its own."""

from __future__ import annotations

import contextlib
import os
import signal
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path
from typing import Any, Literal

from opsctl.errors import OpsctlError, UsageError
from opsctl.images.engine import Engine, connect, errors, refuse_full_disk
from opsctl.images.running import Runnable, runnable
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Service
from opsctl.services.catalogue import services as catalogue
from opsctl.state import environment_folder
from opsctl.targets import files, order
from opsctl.targets.applying import Application, event
from opsctl.targets.base import Action, Blow, Event, LogLine, Plan, Running
from opsctl.targets.docker import logs, naming
from opsctl.targets.docker.addresses import Addresses
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.host import DATA, PYTHON, Inside, Outside
from opsctl.targets.docker.place import Place
from opsctl.targets.docker.runner import STOP_GRACE_S, Runner, ending
from opsctl.targets.docker.spec import Container, container
from opsctl.targets.secrets import Secrets

ROUTES = Path("/proc/net/route")
Seen = Mapping[str, Any]
"""What an engine says of a container."""
STOP_WITHIN_S = 30
Catalogue = Callable[[Environment, Host], tuple[Service, ...]]


class DockerTarget:
    """Runs the services of one environment in the engine of this machine.

    `makers` says which services; the whole catalogue where nothing else is asked for.
    """

    def __init__(self, environment: Environment, makers: Catalogue = catalogue) -> None:
        """Name the environment; touch nothing."""
        self._environment = environment
        self._makers = makers
        self._made: tuple[Service, ...] | None = None
        self._runnable: dict[str, Runnable] = {}
        self._root = environment_folder(environment.name)
        self._secrets = Secrets(self._root / "secrets")

    @cached_property
    def _engine(self) -> Engine:
        return connect()

    @cached_property
    def host(self) -> Outside:
        """Addresses, identity and secrets, as opsctl reaches them."""
        return Outside(Addresses(self._root / "addresses.json", self._foreign()), self._root)

    @property
    def _containers(self) -> Containers:
        return Containers(self._engine, self._environment.name, self.host.identity)

    def _foreign(self) -> Iterator[IPv4Network]:
        """Yield the networks of the engine that are not this environment's, and the machine's."""
        yield from routed(ROUTES.read_text(encoding="ascii") if ROUTES.exists() else "")
        with errors(self._engine.address):
            for found in self._engine.client.api.networks():
                if (found["Labels"] or {}).get(naming.ENVIRONMENT) == self._environment.name:
                    continue
                for pool in found["IPAM"]["Config"] or ():
                    with contextlib.suppress(ValueError):
                        yield IPv4Network(pool["Subnet"])

    def services(self) -> tuple[Service, ...]:
        """Return what should run, each in the image that it runs in."""
        if self._made is None:
            made = self._makers(self._environment, Inside(self.host.addresses, self.host.identity))
            self._runnable = runnable(
                sorted({s.name for s in made}), self._environment.images, self._engine
            )
            self._made = tuple(in_image(s, self._runnable[s.name]) for s in made)
        return self._made

    def observe(self) -> tuple[Running, ...]:
        """Return what runs, asked of the engine; changes nothing."""
        return tuple(_running(key, one) for key, one in sorted(self._containers.found().items()))

    def preflight(self, services: Sequence[Service]) -> None:
        """Raise for what would fail."""
        order.levels({s.key: s for s in services})
        if not self._engine.address.startswith("unix://"):
            raise UsageError(
                f"the engine {self._engine.address} is on another machine, which this release "
                "cannot use yet",
                hint="run opsctl on the machine of the engine: DOCKER_HOST=unix:///var/run/docker.sock",
            )
        refuse_full_disk(self._engine)
        where = self._containers
        for service in services:
            where.find(naming.container(where.environment, service.key))
        for place in {service.site for service in services}:
            where.find(naming.keeper(where.environment, place))

    def apply(self, plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        """Carry out a plan, yielding progress."""
        if plan.empty:
            return
        wanted = {service.key: service for service in services}
        level = order.levels(wanted)
        places = self._lay_out(services)
        specs = {s.key: self._spec(s, level[s.key], services) for s in services}
        runner = Runner(
            self._containers, self._secrets, wanted, places, specs, python=self._python()
        )
        act = Application(runner, wanted)
        unwanted = [key for key in self._containers.found() if key not in wanted]
        stops = dict.fromkeys(
            (*(c.name for c in plan.changes if c.action is Action.STOP), *unwanted)
        )
        yield from act.stop(tuple(stops))
        yield from act.start([c.name for c in plan.changes if c.action is not Action.STOP])
        if not wanted:  # a first deploy that failed: what is left are volumes, for the next one
            self._containers.clear(keep_data=True)

    def _lay_out(self, services: Sequence[Service]) -> dict[str, Place]:
        """Write down what was chosen, make the secrets, and what each place has."""
        files.folder(self._root)
        identity = self._root / "identity"
        if not identity.exists():
            files.write(identity, f"{self.host.identity}\n")
        self.host.addresses.keep()
        self._secrets.ensure(
            {name for service in services for name in service.secrets},
            addresses=self.host.addresses.all(),
        )
        found = {}
        for site in dict.fromkeys(service.site for service in services):
            own = [service for service in services if service.site == site]
            place = Place(self._containers, site, self.host.addresses.network(site), own)
            place.prepare(self._python())
            found[site] = place
        return found

    def _python(self) -> Runnable:
        """Return an image of ours, which has Python."""
        self.services()  # of a rollback nobody has asked for them yet
        found = next((each for each in self._runnable.values() if each.own), None)
        if found is None:
            raise OpsctlError(
                "every image is named by the environment, and one of ours is needed",
                hint="leave one service out of trading:images.use",
            )
        return found

    def _spec(self, service: Service, level: int, services: Sequence[Service]) -> Container:
        addresses = self.host.addresses
        places = dict.fromkeys(s.site for s in services)
        return container(
            self._environment.name,
            self.host.identity,
            service,
            level,
            services,
            {place: addresses.network(place) for place in places},
            addresses.places_of(service.key),
        )

    def destroy(self, *, keep_data: bool) -> Iterator[Event]:
        """Stop everything and remove it."""
        where = self._containers
        for group in _highest_first(where.found()):
            yield from (event(key, "stopping") for key in group)
            with ThreadPoolExecutor(len(group), "stop") as pool:
                list(pool.map(lambda one: where.remove(one["Id"], _within_s(one)), group.values()))
            yield from (event(key, "stopped") for key in group)
        where.clear(keep_data=keep_data)
        if not keep_data:
            for name in ("secrets", "addresses.json", "identity"):
                files.remove(self._root / name)
            with contextlib.suppress(OSError):  # its lock is still in it
                self._root.rmdir()

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        """Return what does it to the containers that services have now."""
        found = {k: one for k, one in self._containers.found().items() if k in services}
        if blow is Blow.KILL:
            return self._killing(found)
        act = {Blow.FREEZE: "pause", Blow.THAW: "unpause"}.get(blow)
        if act is None:
            raise OpsctlError(f"{blow} cannot be had on the docker target yet")
        wanted = [o["Id"] for o in found.values() if o["State"]["Paused"] is (blow is Blow.THAW)]

        def strike() -> None:
            with errors(self._engine.address):
                for one in wanted:
                    getattr(self._engine.client.api, act)(one)

        return strike

    def _killing(self, found: Mapping[str, Mapping[str, Any]]) -> Callable[[], None]:
        """Return what ends processes as a crash does: the engine starts those again.

        What is killed through the engine it takes for stopped.
        """
        held = []
        for one in found.values():
            if one["State"]["Pid"]:
                with contextlib.suppress(ProcessLookupError):
                    held.append(os.pidfd_open(one["State"]["Pid"]))

        def strike() -> None:
            for process in held:
                with contextlib.suppress(ProcessLookupError):
                    signal.pidfd_send_signal(process, signal.SIGKILL)
            for process in held:
                os.close(process)
            held.clear()

        return strike

    def lacks(self, services: Sequence[str], blow: Blow) -> str:
        """Return why a blow cannot be had."""
        known = (Blow.KILL, Blow.FREEZE, Blow.THAW)
        return "" if blow in known else f"{blow} cannot be had on the docker target yet"

    def set_clock(self, services: Sequence[str], shift_s: float) -> None:
        """Refuse: the clock of a container is the machine's."""
        if shift_s:
            raise OpsctlError("a clock cannot be set on the docker target yet")

    def keep_down(self, services: Sequence[str]) -> None:
        """Kill containers by the engine, which leaves what it has killed stopped."""
        from docker.errors import APIError

        with errors(self._engine.address):
            for key, one in self._containers.found().items():
                if key in services and (one["State"]["Running"] or one["State"]["Restarting"]):
                    with contextlib.suppress(APIError):  # it has ended by itself meanwhile
                        self._engine.client.api.kill(one["Id"])

    def bring_up(self, services: Sequence[str]) -> None:
        """Start containers that were kept down."""
        for key, one in self._containers.found().items():
            if key in services and not one["State"]["Running"]:
                self._containers.start(one["Id"])

    def file(self, service: str, path: str) -> Path:
        """Return a file of a service's data, in its volume on this machine."""
        inside = f"{DATA}/{service}/"
        volume = naming.data(self._environment.name, service)
        with errors(self._engine.address):
            found = self._engine.client.api.inspect_volume(volume)
        return Path(found["Mountpoint"]) / path.removeprefix(inside)

    def logs(
        self, services: Sequence[str], *, follow: bool, since: datetime | None
    ) -> Iterator[LogLine]:
        """Return log lines, of a service named by its key or by its name on every site."""
        named = [
            (key, naming.container(self._environment.name, key)) for key in self._keys(services)
        ]
        read = logs.follow if follow else logs.history
        return read(self._containers, named, since)

    def tail(self, service: str, lines: int) -> tuple[str, ...]:
        """Return the last lines of one service's log."""
        (key,) = self._keys([service])[:1]
        name = naming.container(self._environment.name, key)
        return logs.tail(self._containers, name, lines)

    def _keys(self, services: Sequence[str]) -> tuple[str, ...]:
        known = tuple(sorted(self._containers.found()))
        return chosen(self._environment.name, services, known)


def _highest_first(found: Mapping[str, Seen]) -> Iterator[dict[str, Seen]]:
    """Yield containers in groups that can stop together: who waits for others before them."""
    level = {key: int(one["Config"]["Labels"][naming.LEVEL]) for key, one in found.items()}
    for each in sorted(set(level.values()), reverse=True):
        yield {key: one for key, one in found.items() if level[key] == each}


def _within_s(found: Seen) -> float:
    return float(found["Config"].get("StopTimeout") or STOP_WITHIN_S) + STOP_GRACE_S


def in_image(service: Service, image: Runnable) -> Service:
    """Return a service as it runs in an image: an app that is not ours by its own command."""
    argv = service.argv
    if service.kind == "app":
        argv = (*image.python, *argv[len(PYTHON) :]) if image.own else ()
    return service.model_copy(update={"image": image.reference, "argv": argv})


def routed(table: str) -> Iterator[IPv4Network]:
    """Yield what the machine reaches by a route of its own, as the kernel lists it."""
    for line in table.splitlines()[1:]:
        fields = line.split()
        to, mask = (int.from_bytes(bytes.fromhex(fields[n]), "little") for n in (1, 7))
        if mask:  # not the way to everywhere
            yield IPv4Network((to, mask.bit_count()))


def chosen(environment: str, services: Sequence[str], known: Sequence[str]) -> tuple[str, ...]:
    """Return the keys of services that are named by key or by name; all where none is.

    Raises `UsageError` for a name that none has.
    """
    if not services:
        return tuple(known)
    found = []
    for name in services:
        keys = [key for key in known if name in (key, key.partition("@")[0])]
        if not keys:
            raise UsageError(
                f"{environment} has no service {name!r}",
                hint=f"its services: {', '.join(known) or 'none yet; deploy it first'}",
            )
        found += keys
    return tuple(dict.fromkeys(found))


def _running(key: str, found: Mapping[str, Any]) -> Running:
    state, labels = found["State"], found["Config"]["Labels"]
    name, _, site = key.partition("@")
    pid = state["Pid"] or None
    return Running(
        name=name,
        site=site,
        state=_state(state),
        made_from=labels.get(naming.MADE_FROM, ""),
        pid=pid,
        started_at=datetime.fromisoformat(f"{state['StartedAt'][:19]}+00:00") if pid else None,
        rss_bytes=_rss(pid) if pid else None,
        detail="paused" if state["Paused"] else ending(found),
    )


def _state(state: Mapping[str, Any]) -> Literal["running", "starting", "stopped", "failed"]:
    if state["Restarting"] or state["Dead"] or state.get("OOMKilled"):
        return "failed"
    if state["Running"]:
        return "running"
    return "stopped"


def _rss(pid: int) -> int | None:
    """Return the memory of a container's first process; its children are small or none."""
    try:
        pages = int(Path(f"/proc/{pid}/statm").read_text().split()[1])
    except (OSError, ValueError, IndexError):
        return None
    return pages * os.sysconf("SC_PAGE_SIZE")
