"""The `local` target: every service a process of this user, held by one supervisord."""

from __future__ import annotations

import secrets as random
import signal
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import cached_property
from pathlib import Path

from opsctl.errors import OpsctlError
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Service
from opsctl.services.catalogue import services as catalogue
from opsctl.targets import faketime, files, order, quota
from opsctl.targets.applying import Application
from opsctl.targets.base import Action, Blow, Event, LogLine, Plan, Running
from opsctl.targets.beneath import Nothing
from opsctl.targets.chosen import chosen
from opsctl.targets.local import (
    application,
    blows,
    clock,
    definition,
    logs,
    orphans,
    preflight,
    preparation,
    processes,
    removal,
)
from opsctl.targets.local.host import LocalHost
from opsctl.targets.local.layout import Layout
from opsctl.targets.local.observing import running
from opsctl.targets.local.supervisor import Gone
from opsctl.targets.local.supervisor import Supervisor as Supervisord
from opsctl.targets.rotation import Rotation, bearing
from opsctl.targets.secrets import SUPERVISOR, Secrets
from opsctl.toolchain import programs as toolchain

Catalogue = Callable[[Environment, Host], tuple[Service, ...]]

TAIL_LINES = 20
SIGNALS = {Blow.KILL: signal.SIGKILL, Blow.FREEZE: signal.SIGSTOP, Blow.THAW: signal.SIGCONT}


class LocalTarget:
    """Runs the services of one environment on this machine.

    `makers` says which services; the whole catalogue where nothing else is asked for.
    """

    def __init__(self, environment: Environment, makers: Catalogue = catalogue) -> None:
        """Name the environment; touch nothing."""
        self._environment = environment
        self._makers = makers
        self._made: tuple[Service, ...] | None = None
        self._layout = Layout.of(environment.name)
        self._secrets = Secrets(self._layout.secrets)

    @cached_property
    def host(self) -> LocalHost:
        """Where programs, folders, ports and secrets are."""
        preflight.platform_fits()
        return LocalHost(self._layout)

    @property
    def rotation(self) -> Rotation:
        """The environment's certificate authority."""
        return self._secrets.rotation

    def services(self) -> tuple[Service, ...]:
        """Return what should run.

        Made once: it costs a tenth of a second, and who drills asks for it every moment.
        """
        if self._made is None:
            made = self._makers(self._environment, self.host)
            self._made = bearing(made, self.rotation.generation)
        return self._made

    def deployable(self) -> tuple[Service, ...]:
        """Return the same: programs are looked for by `preflight`."""
        return self.services()

    def reached(self, services: Sequence[Service]) -> tuple[Service, ...]:
        """Return services as they are: all are on this machine."""
        return tuple(services)

    def observe(self) -> tuple[Running, ...]:
        """Return what runs, asked of supervisord and of /proc; changes nothing."""
        supervisord = self._supervisord()
        try:
            loaded = supervisord.programs()
        except Gone:
            return self._remembered("its supervisord is gone")
        if self._stale(supervisord):
            loaded = tuple(replace(program, made_from="") for program in loaded)
        children = processes.children()
        return tuple(running(program, children) for program in loaded)

    def preflight(self, services: Sequence[Service]) -> None:
        """Raise for what would fail."""
        preflight.platform_fits()
        preflight.programs()
        order.levels({s.key: s for s in services})
        preflight.place(self._layout, services)
        preflight.present(services)
        preflight.space(self._layout)
        up = {seen.key for seen in self.observe() if seen.state in ("running", "starting")}
        preflight.memory(sum(service.key not in up for service in services))
        preflight.ports_free(services, self._processes(services), self._layout.ports)

    def apply(self, plan: Plan, services: Sequence[Service]) -> Iterator[Event]:
        """Carry out a plan, yielding progress."""
        if plan.empty:
            return
        wanted = {service.key: service for service in services}
        level = order.levels(wanted)
        self._lay_out(services)
        fresh = self._supervise(services)
        unwanted = [seen.key for seen in self._applied() if seen.key not in wanted]
        stops = dict.fromkeys(
            (*(c.name for c in plan.changes if c.action is Action.STOP), *unwanted)
        )
        changed = [c.name for c in plan.changes if c.action is not Action.STOP]
        if fresh:  # nothing runs, whatever the plan saw
            changed = list(wanted)
        self._define([wanted[key] for key in changed], level)
        if fresh:
            self._launch()
        supervisord = self._supervisord()
        supervisord.reread()
        act = Application(self._runner(supervisord, services), wanted)
        yield from act.stop(tuple(stops))
        for key in stops:
            self._forget(key)
        yield from act.start(changed)

    def destroy(self, *, keep_data: bool) -> Iterator[Event]:
        """Stop everything and remove it."""
        return removal.destroy(
            self._layout,
            self._identity(),
            self._supervisord(),
            lambda: self._processes(self._applied()),
            self._applied(),
            keep_data=keep_data,
        )

    def aim(self, services: Sequence[str], blow: Blow) -> Callable[[], None]:
        """Return what signals the processes that services have now, and no later ones."""
        if blow in (Blow.FILL, Blow.FREE):
            pids = self._pids(services)
            return lambda: quota.bound(pids, full=blow is Blow.FILL)
        return blows.aim(self._supervisord(), services, SIGNALS[blow])

    def lacks(self, services: Sequence[str], blow: Blow) -> str:
        """Return why a blow cannot be had on this machine."""
        if blow is Blow.STEP:
            return faketime.lacking()
        if blow is Blow.FILL_MEMORY:
            return "processes of this target have no folders in memory of their own"
        return quota.refusal(self._pids(services)) if blow is Blow.FILL else ""

    def beneath(self) -> Nothing:
        """Return that nothing beneath is the drills' to break."""
        return Nothing()

    def set_clock(self, services: Sequence[str], shift_s: float) -> None:
        """Write it into the start scripts of services, and start them anew by it."""
        program = toolchain.path(faketime.PROGRAM, faketime.BINARY) if shift_s else None
        preload = faketime.library(program) if program else None
        changed = []
        for service in self._applied():
            if service.key not in services:
                continue
            path = self._layout.start(service.key)
            before = path.read_text(encoding="utf-8")
            after = clock.shifted(before, preload, shift_s) if preload else clock.true(before)
            if after != before:
                files.write(path, after, mode=0o500, owner=preparation.owner(service))
                changed.append(service.key)
        self.aim(changed, Blow.KILL)()

    def _pids(self, services: Sequence[str]) -> list[int]:
        return blows.processes_of(self._supervisord(), services)

    def keep_down(self, services: Sequence[str]) -> None:
        """Kill services, and tell supervisord to leave them stopped, until it does."""
        blows.keep_down(self._supervisord(), services)

    def bring_up(self, services: Sequence[str]) -> None:
        """Tell supervisord to start what was kept down; raises where one does not end in time."""
        blows.bring_up(self._supervisord(), services)

    def file(self, service: str, path: str) -> Path:
        """Return the file itself."""
        return Path(path)

    def logs(
        self, services: Sequence[str], *, follow: bool, since: datetime | None
    ) -> Iterator[LogLine]:
        """Return log lines, of a service named by its key or by its name on every site."""
        named = [(key, self._layout.log(key)) for key in self._keys(services)]
        return logs.follow(named, since) if follow else logs.history(named, since)

    def tail(self, service: str, lines: int) -> tuple[str, ...]:
        """Return the last lines of one service's log."""
        (key,) = self._keys([service])[:1]
        return logs.tail(self._layout.log(key), lines)

    def _keys(self, services: Sequence[str]) -> tuple[str, ...]:
        # A service that was stopped again, by a first deploy that failed, has its log still.
        logged = sorted(path.stem for path in self._layout.logs.glob("*.log"))
        known = tuple(dict.fromkeys([*(s.key for s in self._applied()), *logged]))
        return chosen(self._environment.name, services, known)

    def _identity(self) -> str:
        try:
            return self._layout.identity.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            return ""

    def _supervisord(self) -> Supervisord:
        return Supervisord(self._layout, self._identity())

    def _stale(self, supervisord: Supervisord) -> bool:
        """Return whether supervisord does not answer, or runs from another configuration."""
        if self._secrets.missing([SUPERVISOR]):
            return True
        return supervisord.identification() != definition.identifier(self._configuration())

    def _configuration(self) -> str:
        return definition.supervisord(
            self._layout, self._secrets.read(SUPERVISOR), root=preparation.is_root()
        )

    def _remembered(self, why: str) -> tuple[Running, ...]:
        """Return the services that were applied as not running."""
        return tuple(
            Running(name=s.name, site=s.site, state="stopped", made_from="", detail=why)
            for s in self._applied()
        )

    def _applied(self) -> tuple[Service, ...]:
        """Return the services as they were last written down, in an order to start."""
        found = []
        for path in sorted(self._layout.services.glob("*.json")):
            try:
                found.append(Service.model_validate_json(path.read_text(encoding="utf-8")))
            except (OSError, ValueError) as fault:
                raise OpsctlError(
                    f"{path} cannot be read: {str(fault).splitlines()[0]}",
                    hint="use the opsctl that deployed the environment, or a newer one",
                ) from fault
        return tuple(found)

    def _lay_out(self, services: Sequence[Service]) -> None:
        """Make the folders, the identity, the secrets, and write the ports down."""
        preparation.folders(self._layout)
        if not self._identity():
            files.write(self._layout.identity, f"{self.host.identity}\n")
        self._refuse_lost_secrets(services)
        self._secrets.ensure({name for service in services for name in service.secrets})
        if self._secrets.missing([SUPERVISOR]):
            files.write(self._secrets.path(SUPERVISOR), random.token_hex(24) + "\n")
        self.host.ports.keep(
            {f"{s.key}/{name}": p for s in services for name, p in s.ports.items()}
        )
        self._made = None  # the ports that were written down win over those that were chosen

    def _refuse_lost_secrets(self, services: Sequence[Service]) -> None:
        """Raise where a secret is gone with which a service was prepared."""
        before = {service.key: service for service in self._applied()}
        for service in services:
            known = before.get(service.key)
            lost = self._secrets.missing(known.secrets if known else ())
            if lost and service.setup:
                raise OpsctlError(
                    f"the secret {lost[0]} of {service.key} is gone, and its data was made with it",
                    hint=f"bring {self._layout.secrets / lost[0]} back, or destroy the environment",
                )

    def _supervise(self, services: Sequence[Service]) -> bool:
        """Return whether supervisord must be started; one that is stale or hangs is ended."""
        supervisord = self._supervisord()
        found = supervisord.identification()
        if found == definition.identifier(self._configuration()):
            return False
        supervisord.end(patient=found is not None)
        application.end_strays(self._processes(services))
        return True

    def _launch(self) -> None:
        text = self._configuration()
        files.write(self._layout.supervisord, text)
        self._supervisord().start(text, orphans.marks(self._environment, self._layout.root))

    def _define(self, services: Sequence[Service], level: dict[str, int]) -> None:
        """Write what supervisord and a later opsctl need to know of services."""
        programs, identity = preflight.programs(), self._identity()
        for service in services:
            by = preparation.owner(service)
            script = definition.start_script(service, self._layout, programs, identity)
            files.write(self._layout.start(service.key), script, mode=0o500, owner=by)
            text = definition.program(
                service,
                self._layout,
                programs,
                level=level[service.key],
                user=by.name if by else None,
            )
            files.write(self._layout.definition(service.key), text)
            files.write(self._layout.service(service.key), service.model_dump_json(indent=2))

    def _forget(self, key: str) -> None:
        for path in (self._layout.definition(key), self._layout.start(key)):
            path.unlink(missing_ok=True)
        self._layout.service(key).unlink(missing_ok=True)

    def _runner(
        self, supervisord: Supervisord, services: Sequence[Service]
    ) -> application.Processes:
        held = preparation.Preparation(
            self._layout, self._secrets, preflight.programs(), self._identity()
        )
        return application.Processes(
            supervisor=supervisord,
            preparation=held,
            secrets=self._secrets,
            services={service.key: service for service in services},
            strays=lambda key: self._processes(services, key),
            last_lines=lambda key: logs.tail(self._layout.log(key), TAIL_LINES),
        )

    def _processes(
        self, services: Sequence[Service], key: str | None = None
    ) -> tuple[processes.Process, ...]:
        """Return the processes of the environment, supervisord too, or those of one service."""
        identity = self._identity()
        if not identity:
            return ()
        # Python runs much else: only a server's own program says whose its process is.
        known = (*services, *self._applied())  # a release may have brought newer programs
        servers = {str(Path(s.argv[0]).resolve()) for s in known if s.kind == "server"}
        return processes.of_environment(identity, self._layout.root / "data", servers, service=key)
