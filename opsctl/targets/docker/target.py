"""The `docker` target: every service a container, each place a network of its own."""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator, Sequence
from datetime import datetime
from functools import cached_property
from ipaddress import IPv4Network
from pathlib import Path

from opsctl import custody
from opsctl.errors import OpsctlError
from opsctl.images.engine import errors
from opsctl.images.running import Runnable
from opsctl.model.environment import Environment
from opsctl.model.resources import resources
from opsctl.model.topology import OUTSIDE
from opsctl.services.base import Host, Service
from opsctl.services.catalogue import services as catalogue
from opsctl.state import environment_folder
from opsctl.targets import faketime, files, order
from opsctl.targets.applying import Application
from opsctl.targets.base import Action, Blow, Event, LogLine, Plan, Running
from opsctl.targets.chosen import chosen
from opsctl.targets.docker import compose, fabric, limits, logs, naming, strangers
from opsctl.targets.docker.addresses import Addresses, routed
from opsctl.targets.docker.containers import Containers
from opsctl.targets.docker.described import refuse_broken
from opsctl.targets.docker.faults import Ground, clock, disk, freezing
from opsctl.targets.docker.host import DATA, PYTHON, Inside, Outside
from opsctl.targets.docker.hosts import Fleet, Hosts, here, left_behind, networks, refuse_unusable
from opsctl.targets.docker.killing import killing
from opsctl.targets.docker.mirror import Mirrors
from opsctl.targets.docker.observing import Seen, out_of_reach, rss_bytes, running
from opsctl.targets.docker.place import Place, claim, places_of
from opsctl.targets.docker.runner import Runner
from opsctl.targets.docker.sending import carry_images, wanted_images
from opsctl.targets.docker.spec import Container, container
from opsctl.targets.docker.stopping import stop
from opsctl.targets.docker.ways import Ways, behind, open_gate
from opsctl.targets.rotation import Rotation, bearing
from opsctl.targets.secrets import Secrets

ROUTES = Path("/proc/net/route")
Catalogue = Callable[[Environment, Host], tuple[Service, ...]]


class DockerTarget:
    """Runs the services of one environment in the engines of its hosts.

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
        self._hosts = Hosts(environment)
        self._ways = Ways(environment.name, self._hosts)
        self._mirrors = Mirrors()
        self._took_up: bool | None = None
        """Whether there was data before this process made any; None before it has."""

    @cached_property
    def host(self) -> Outside:
        """Addresses, identity and secrets, as opsctl reaches them."""
        from opsctl.targets import open_backend

        custody.lend(self._environment.name, lambda: open_backend(self._environment))
        addresses = Addresses(self._root / "addresses.json", self._foreign)
        return Outside(addresses, self._root, self._ways.to)

    @property
    def _fleet(self) -> Fleet:
        of = self._environment
        return Fleet(self._hosts, of.name, self.host.identity, naming.marks(of.ephemeral))

    def _foreign(self) -> Iterator[IPv4Network]:
        """Yield the networks of the engines that are not this environment's, and the machine's.

        A host that is down is left out: what was chosen before is kept, and nothing new is
        begun while it is.
        """
        yield from routed(ROUTES.read_text(encoding="ascii") if ROUTES.exists() else "")
        for engine in self._hosts.answering()[0].values():
            yield from networks(engine, but_of=self._environment.name)

    @cached_property
    def _wanted(self) -> tuple[Service, ...]:
        """What should run, in no image yet."""
        made = self._makers(self._environment, Inside(self.host.addresses, self.host.identity))
        return bearing(made, self.rotation.generation)

    @property
    def rotation(self) -> Rotation:
        """The environment's certificate authority."""
        return self._secrets.rotation

    def services(self) -> tuple[Service, ...]:
        """Return what should run: whether an image of it was built from this commit or not."""
        return self._looked_at

    @cached_property
    def _looked_at(self) -> tuple[Service, ...]:
        return self.reached(self._wanted)

    def deployable(self) -> tuple[Service, ...]:
        """Return what should run, each in the image that it runs in."""
        if self._made is None:
            made = self._wanted
            self._runnable = wanted_images(self._hosts, made, self._environment.images)
            every = [self._allowed(in_image(s, self._runnable[s.name])) for s in made]
            self._made = self.reached(every)
        return self._made

    def _allowed(self, service: Service) -> Service:
        of = self._environment
        allowed = resources(service.name, of.tier, of.services.get(service.name))
        return service.model_copy(update={"resources": allowed})

    def reached(self, services: Sequence[Service]) -> tuple[Service, ...]:
        """Return services with the way from this process to what is on other machines."""
        return tuple(self._ways.of(service) for service in services)

    def observe(self) -> tuple[Running, ...]:
        """Return what runs, asked of the engines; changes nothing.

        What a host that does not answer should run is among it, as failed.
        """
        up, down = self._fleet.seen()
        found: list[Running] = []
        for host, containers in up.items():
            where = self._fleet.on(host)
            for key, one in containers.items():
                found.append(running(key, one, rss_bytes(where, one, here=here(where.engine))))
        for host, why in down.items():
            if not self._hosts.apart:
                raise why
            found += out_of_reach(host, why, self._wanted)
        return tuple(sorted(found, key=lambda each: each.key))

    def preflight(self, services: Sequence[Service]) -> None:
        """Raise for what would fail; claim addresses that were chosen just now."""
        order.levels({s.key: s for s in services})
        refuse_unusable(self._hosts, self._fleet, services)
        for host in self._hosts.all:
            there = self._fleet.on(host)
            own = [s for s in services if self._hosts.of(s.site) == host]
            strangers.refuse(there, own)
            refuse_broken(there.engine, self._environment.name, own)
            if self._secrets.none:
                strangers.refuse_locked_data(there)
        self._refuse_limits(services)
        if self.host.addresses.new:
            claim(self._places(services))

    def _places(self, services: Sequence[Service]) -> dict[str, Place]:
        return places_of(services, self._fleet.at, self.host.addresses.network)

    def _refuse_limits(self, services: Sequence[Service]) -> None:
        for host in self._hosts.all:
            own = [s for s in services if self._hosts.of(s.site) == host]
            limits.refuse(own, self._environment.services, self._fleet.on(host), self._python())

    def compose(self) -> str:
        """Return everything that is configured as a compose file, without secrets."""
        services = self.deployable()
        level = order.levels({s.key: s for s in services})
        return compose.text(
            self._environment.name,
            {s.key: (s, self._spec(s, level[s.key], services)) for s in services},
            self._runnable,
            *fabric.of(
                self._environment.name,
                self.host.identity,
                services,
                self.host.addresses.network,
                self._python(),
            ),
            {s.site: self._hosts.of(s.site).name for s in services} if self._hosts.apart else None,
        )

    def apply(self, plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        """Carry out a plan, yielding progress."""
        if plan.empty:
            return
        level = order.levels({service.key: service for service in services})
        services = self.reached(services)
        wanted = {service.key: service for service in services}
        yield from carry_images(self._hosts, services, self._python())
        if self._hosts.apart:  # a host that had no image could not be tried before
            self._refuse_limits(services)
        places = self._lay_out(services)
        specs = {s.key: self._spec(s, level[s.key], services) for s in services}
        runner = Runner(self._fleet, self._secrets, wanted, places, specs, python=self._python())
        act = Application(runner, wanted)
        unwanted = [key for key in self._fleet.found() if key not in wanted]
        stops = dict.fromkeys(
            (*(c.name for c in plan.changes if c.action is Action.STOP), *unwanted)
        )
        yield from act.stop(tuple(stops))
        yield from act.start([c.name for c in plan.changes if c.action is not Action.STOP])
        if not wanted:  # a first deploy that failed
            for host in self._hosts.all:
                self._fleet.on(host).clear(keep_data=bool(self._took_up))
            if not self._took_up:
                self._forget()

    def _lay_out(self, services: Sequence[Service]) -> dict[str, Place]:
        """Write down what was chosen, make the secrets, and what each place has."""
        if self._took_up is None:
            self._took_up = any(strangers.has_data(self._fleet.on(h)) for h in self._hosts.all)
        files.folder(self._root)
        identity = self._root / "identity"
        if not identity.exists():
            files.write(identity, f"{self.host.identity}\n")
        leaving = [service for service in services if service.goes_out]
        if leaving:
            self.host.addresses.network(OUTSIDE)
        self.host.addresses.keep()
        self._secrets.ensure(
            {name for service in services for name in service.secrets},
            addresses=self.host.addresses.all(),
        )
        custody.keep(self._environment.name)  # data that is made with a secret outlives it never
        found = self._places(services)
        for place in found.values():
            place.prepare(self._python())
        for each in leaving:
            where, addresses = self._fleet.at(each.site), self.host.addresses.network(OUTSIDE)
            Place(where, OUTSIDE, addresses, ()).claim()
        networks = [*found, *([OUTSIDE] if leaving else [])]
        for host in self._hosts.all:
            if behind(host):
                open_gate(self._fleet.on(host), host, networks, self._python())
        return found

    def _python(self) -> Runnable:
        """Return an image of ours, which has Python."""
        self.deployable()  # of a rollback nobody has asked for them yet
        found = next((each for each in self._runnable.values() if each.own), None)
        if found is None:
            raise OpsctlError(
                "every image is named by the environment, and one of ours is needed",
                hint="leave one service out of trading:images.use",
            )
        return found

    def _spec(self, service: Service, level: int, services: Sequence[Service]) -> Container:
        addresses = self.host.addresses
        here = self._hosts.of(service.site)
        places = dict.fromkeys(s.site for s in services if self._hosts.of(s.site) == here)
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
        """Stop everything and remove it, on every host that answers; raise for what is left."""
        up, down = self._fleet.seen()
        if not up:
            raise next(iter(down.values()))
        yield from stop(self._fleet, up)
        for host in up:
            self._fleet.on(host).clear(keep_data=keep_data)
        if down:
            raise left_behind(self._environment.name, down)
        if not keep_data:
            self._forget()

    def _forget(self) -> None:
        """Remove what was written down; the records of what is under way go last, elsewhere."""
        for name in ("secrets", "history", "evidence.json", "addresses.json", "identity"):
            files.remove(self._root / name)
        with contextlib.suppress(OSError):  # its lock is still in it
            self._root.rmdir()

    def _of(self, services: Sequence[str]) -> list[tuple[Containers, Seen]]:
        """Return the containers that services have now, with those of their hosts."""
        return [
            (self._fleet.on(host), one)
            for host in self._hosts.all
            for key, one in self._fleet.on(host).found().items()
            if key in services
        ]

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        """Return what does it to the containers that services have now."""
        found = self._of(services)
        if blow is Blow.KILL:
            return killing(found, self._python)
        if blow is Blow.FILL_MEMORY:
            return disk.of_memory(found).fill
        if blow in (Blow.FILL, Blow.FREE):
            data = disk.of_data(found)
            return data.fill if blow is Blow.FILL else data.and_of(disk.of_memory(found)).free
        return freezing.aimed(found, freeze=blow is Blow.FREEZE)

    def lacks(self, services: Sequence[str], blow: Blow) -> str:
        """Return why a blow cannot be had."""
        if blow is Blow.STEP:
            return faketime.lacking()
        if blow not in (Blow.FILL, Blow.FILL_MEMORY):
            return ""
        return disk.refusal(self._of(services), blow)

    def beneath(self) -> Ground:
        """Return what the containers stand on."""
        return self._ground

    @cached_property
    def _ground(self) -> Ground:
        return Ground(self._environment, self._fleet)

    def set_clock(self, services: Sequence[str], shift_s: float) -> None:
        """Start containers anew under a wall clock that is so many seconds off; 0: the true one."""
        for key in services:
            clock.set_clock(self._fleet.of(key), [key], shift_s)

    def keep_down(self, services: Sequence[str]) -> None:
        """Kill containers by the engine, which leaves what it has killed stopped."""
        from docker.errors import APIError

        for where, one in self._of(services):
            if one["State"]["Running"] or one["State"]["Restarting"]:
                # It may have ended by itself meanwhile.
                with errors(where.engine.address), contextlib.suppress(APIError):
                    where.api.kill(one["Id"])

    def bring_up(self, services: Sequence[str]) -> None:
        """Start containers that were kept down."""
        for where, one in self._of(services):
            if not one["State"]["Running"]:
                where.start(one["Id"])

    def file(self, service: str, path: str) -> Path:
        """Return a file of a service's data: in its volume, or as it is kept up to date here."""
        inside = f"{DATA}/{service}/"
        where = self._fleet.of(service)
        if not here(where.engine):
            return self._mirrors.of(where, service, path)
        with errors(where.engine.address):
            found = where.api.inspect_volume(naming.data(self._environment.name, service))
        return Path(found["Mountpoint"]) / path.removeprefix(inside)

    def logs(
        self, services: Sequence[str], *, follow: bool, since: datetime | None
    ) -> Iterator[LogLine]:
        """Return log lines, of a service named by its key or by its name on every site."""
        named = [
            (key, self._fleet.of(key), naming.container(self._environment.name, key))
            for key in self._keys(services)
        ]
        read = logs.follow if follow else logs.history
        return read(named, since)

    def tail(self, service: str, lines: int) -> tuple[str, ...]:
        """Return the last lines of one service's log."""
        (key,) = self._keys([service])[:1]
        name = naming.container(self._environment.name, key)
        return logs.tail(self._fleet.of(key), name, lines)

    def _keys(self, services: Sequence[str]) -> tuple[str, ...]:
        up, _ = self._fleet.seen()
        known = tuple(sorted(key for found in up.values() for key in found))
        return chosen(self._environment.name, services, known)


def in_image(service: Service, image: Runnable) -> Service:
    """Return a service as it runs in an image: an app that is not ours by its own command."""
    argv = service.argv
    if service.kind == "app":
        argv = (*image.python, *argv[len(PYTHON) :]) if image.own else ()
    return service.model_copy(update={"image": image.reference, "argv": argv})
