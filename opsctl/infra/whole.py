"""An environment whose hosts a stack declares, as a whole: from the declaration to trading.

    infrastructure -> hosts met -> profile applied, once a host -> services, as on any hosts

Servers of one's own are met and provisioned as resources, by the infrastructure.

Each part leaves its own evidence, and goes on where it was when it was killed; the run of the
services names those of the parts under it.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import yaml

from opsctl import custody
from opsctl.deploy import lock, records
from opsctl.deploy.files import remove, write_whole
from opsctl.deploy.forgetting import forget
from opsctl.deploy.outcome import Deployed as ServicesDeployed
from opsctl.deploy.pipeline import Pipeline
from opsctl.deploy.rollout import Planned as ServicesPlanned
from opsctl.errors import OpsctlError, UsageError
from opsctl.images.engine import EngineRefused, connect
from opsctl.images.running import with_python
from opsctl.images.ssh import SshRefused
from opsctl.infra import applying, meeting, onprem, open_engine, program
from opsctl.infra.applying import InfrastructureDeployed, InfrastructureDestroyed, Say, Told
from opsctl.infra.hosts import OUTPUT, Host, handed_out, inventory, is_address, placed
from opsctl.infra.planning import Planned
from opsctl.infra.workspace import FOLDER
from opsctl.model.environment import Environment
from opsctl.model.onprem import SPARE, role_of
from opsctl.model.value import Value
from opsctl.provision import apart, choosing
from opsctl.provision import applying as provisioning
from opsctl.provision.progress import Progress
from opsctl.provision.results import Outcome
from opsctl.provision.session import Reach
from opsctl.state import environment_folder
from opsctl.targets import open_backend

INVENTORY = "inventory.yml"
OWN = "onprem"
"""The infrastructure whose hosts are servers of one's own."""
NO_HOSTS = "there are no hosts yet: every service is to be started"
KEPT: tuple[Outcome, ...] = ("unchanged", "changed")
"""What became of a host that holds its profile."""


@dataclass(frozen=True)
class Asked:
    """What a deploy of the whole may do, and leave out."""

    infrastructure: applying.Asked = field(default_factory=applying.Asked)
    accept_host_keys: bool = False
    provision: bool = True
    """False: the hosts are tuned by somebody else, or not at all."""
    reboot: bool = False
    """Whether hosts that were provisioned before are so again, and rebooted where it takes that."""
    verify: bool = True
    at_once: bool = False
    overrides: Mapping[str, object] = field(default_factory=dict)
    """What was said otherwise than in the file, for the evidence."""


@dataclass(frozen=True)
class Heard:
    """Who is told of what, and what heals an environment before it is changed."""

    say: Say
    step: Told
    boxes: Progress
    heal: Callable[[Environment], None] = lambda _: None


class HostReady(Value):
    """A host that services can run on."""

    name: str
    site: str
    address: str
    through: str
    profile: str
    """What provisioning by this run came to; empty: it was left as it was."""


class Deployed(Value):
    """The result of `opsctl deploy` of an environment with infrastructure."""

    environment: str
    infrastructure: InfrastructureDeployed
    hosts: tuple[HostReady, ...]
    provisioned: tuple[str, ...]
    """The runs that provisioned hosts; empty where all were before, or it was left out."""
    services: ServicesDeployed
    duration_s: float

    @property
    def exit_code(self) -> int:
        """3 where guardrails, a profile or what the tier promises is not kept, else 0."""
        held = all(host.profile in ("", *KEPT) for host in self.hosts)
        kept = applying.exit_code(self.infrastructure) == 0 and held and self.services.kept
        return 0 if kept else 3


def deploy(environment: Environment, asked: Asked, pipeline: Pipeline, heard: Heard) -> Deployed:
    """Make the infrastructure of an environment, and run its services on the hosts.

    Raises:
        UsageError: what its file asks for cannot be.
        OpsctlError: a part failed; those before it stand, and the next deploy goes on.
    """
    began = time.monotonic()
    refuse(environment)
    refuse_of_cloud(environment, asked)
    made = applying.deploy(environment, asked.infrastructure, heard.say, heard.step)
    hosts = handed_out(environment.name, made.outputs)
    if environment.infrastructure == OWN:
        keys = onprem.keys(environment)
    else:
        known = meeting.meet(environment.name, hosts, heard.say, accept=asked.accept_host_keys)
        keys = meeting.keys(hosts, known)
    _await_engines(hosts, keys, heard.say)
    here = placed(environment, hosts, keys)
    _refresh(here)
    standing = records.environment(environment.name)
    outcomes: dict[str, Outcome] = {}
    runs: list[str] = []
    if asked.provision and environment.infrastructure != OWN:
        for names, again in rounds(hosts, here, standing, reboot=asked.reboot):
            run, became = _provision(here, hosts, keys, names, heard.boxes, again=again)
            runs.append(run)
            outcomes |= became
        _await_engines(hosts, keys, heard.say)
    heard.heal(here)
    arguments = {
        **asked.overrides,
        "infrastructure": made.run,
        "provision": runs,
        "verify": asked.verify,
        "at_once": asked.at_once,
    }
    services = pipeline.deploy(
        here, arguments=arguments, verify=asked.verify, at_once=asked.at_once
    )
    return Deployed(
        environment=environment.name,
        infrastructure=made,
        hosts=tuple(_ready(host, outcomes) for host in hosts),
        provisioned=tuple(runs),
        services=services,
        duration_s=round(time.monotonic() - began, 3),
    )


def refuse(environment: Environment) -> None:
    """Refuse what would fail on hosts, before anything is made or changed.

    Raises:
        UsageError: hosts could not reach one another, nobody could log in, there are no images, the
            profile is not there.
    """
    name = environment.name
    only = f"or make the infrastructure alone: opsctl deploy {name} --only infrastructure"
    if environment.infrastructure == OWN:
        _refuse_names(environment, only)
    else:
        _refuse_in_cloud(environment, only)
    if records.environment(name) is None:  # else hosts have the images
        try:
            with_python(connect())
        except OpsctlError as fault:
            raise UsageError(
                f"the images of {name} are not here: {fault.message}",
                hint=f"on an engine of this machine: opsctl images build; {only}",
            ) from fault


def _refuse_names(environment: Environment, only: str) -> None:
    """Refuse servers that others would have to reach by a name: only this machine may know it."""
    said = environment.onprem
    for name, server in said.servers.items():
        runs = role_of(said, server) != SPARE
        if runs and len(environment.sites) > 1 and not is_address(server.address):
            raise UsageError(
                f"{name} is named {server.address}, and other servers of {environment.name} have "
                "to reach it",
                hint=f"write its IPv4 address in trading:onprem.servers.{name}, {only}",
            )


def _refuse_in_cloud(environment: Environment, only: str) -> None:
    name, aws = environment.name, environment.aws
    if aws.database.kind != "self" and not environment.books:
        raise UsageError(
            f"{name} has a managed database, and no word that its sites keep their books there",
            hint="make the infrastructure (--only infrastructure), and write host, port and secret "
            f"that opsctl stack outputs {name} shows into trading:books; or write "
            f"trading:aws.database as {{kind: self}}, {only}",
        )
    if aws.profile:
        choosing.named(aws.profile)
    if not aws.ssh_keys and not aws.images:
        raise UsageError(
            f"nobody could log in to the hosts of {name}",
            hint=f"write public keys under trading:aws.ssh_keys, {only}",
        )


def refuse_of_cloud(environment: Environment, asked: Asked) -> None:
    """Refuse with a `UsageError` what is asked of a cloud's hosts, where they are one's own."""
    of_cloud = asked.accept_host_keys or asked.reboot or not asked.provision
    if environment.infrastructure == OWN and of_cloud:
        raise UsageError(
            "--accept-host-keys, --no-provision and --reboot are of hosts in a cloud: the servers "
            f"of {environment.name} are provisioned as they are declared",
            hint="`reboot: true` in trading:onprem lets it reboot them; a host key is written in "
            "the file, or pinned by opsctl provision NAME --accept-host-keys",
        )


def plan(environment: Environment, infrastructure: Planned, pipeline: Pipeline) -> Planned:
    """Return a plan of infrastructure with what would be changed of the services, where known."""
    services, unknown = _services_planned(environment, infrastructure, pipeline)
    return infrastructure.model_copy(update={"services": services, "services_unknown": unknown})


def _services_planned(
    environment: Environment, infrastructure: Planned, pipeline: Pipeline
) -> tuple[ServicesPlanned | None, str]:
    name = environment.name
    if not infrastructure.unchanged:  # which spares the engine being asked
        return None, NO_HOSTS
    try:
        outputs = open_engine(program(environment)).outputs()
        if OUTPUT not in outputs:
            return None, NO_HOSTS
        hosts = handed_out(name, outputs)
        if environment.infrastructure == OWN:
            keys = onprem.keys(environment)
        else:
            keys = meeting.keys(hosts, meeting.register(name))
        if len(keys) < len(hosts):
            return None, "there are hosts that were not met yet: every service is to be started"
        return pipeline.plan(placed(environment, hosts, keys)), ""
    except OpsctlError as fault:  # what a deploy makes again may be down or gone
        return None, fault.message


def destroy(
    environment: Environment, asked: applying.Asked, pipeline: Pipeline, heard: Heard
) -> InfrastructureDestroyed:
    """Stop the services of an environment, then delete everything that it declared.

    Raises:
        OpsctlError: something holds data and was not named, or a part failed.
    """
    name = environment.name

    def stop() -> Sequence[str]:
        standing = records.environment(name)
        if standing is None or not standing.hosts:
            return ()
        try:
            heard.heal(standing)
            done = pipeline.destroy(standing, keep_data=False, arguments={"keep_data": False})
        except (EngineRefused, SshRefused) as fault:
            if environment.infrastructure == OWN:  # which stays, and what runs on it
                raise
            heard.say(f"services were not stopped, and go with their hosts: {fault.message}")
            forget(name)
            return ()
        return done.stopped

    found = applying.destroy(environment, asked, heard.say, heard.step, stop)
    meeting.forget(name)
    remove(environment_folder(name) / FOLDER / INVENTORY)
    return found


def _refresh(here: Environment) -> None:
    """Take over what another machine has deployed on the hosts: they trade, and are not new."""
    backend = open_backend(here)
    if backend is not None:
        custody.refresh(here.name, backend, lock.idle(here.name))


def _await_engines(hosts: tuple[Host, ...], keys: Mapping[str, str], say: Say) -> None:
    for host in hosts:
        meeting.await_engine(host, keys[host.name], say)


def rounds(
    hosts: tuple[Host, ...], here: Environment, standing: Environment | None, *, reboot: bool
) -> tuple[tuple[tuple[str, ...], bool], ...]:
    """Return the hosts to provision together, and whether they trade.

    A machine that runs nothing yet is rebooted where its profile takes that. One that services
    were deployed on is left alone, unless somebody asks for it: then one after the other.
    """
    was = standing.hosts if standing is not None else {}
    trading = tuple(host.name for host in hosts if was.get(host.site) == here.hosts[host.site])
    new = tuple(host.name for host in hosts if host.name not in trading)
    every = ((new, False), *(((name,), True) for name in trading if reboot))
    return tuple((names, again) for names, again in every if names)


def _provision(
    environment: Environment,
    hosts: tuple[Host, ...],
    keys: Mapping[str, str],
    names: tuple[str, ...],
    progress: Progress,
    *,
    again: bool,
) -> tuple[str, dict[str, Outcome]]:
    """Have hosts hold the profile of their tier; return the run, and what became of each.

    Raises:
        OpsctlError: one failed; what was done is on it, and the next deploy goes on.
    """
    file = environment_folder(environment.name) / FOLDER / INVENTORY
    write_whole(file, yaml.safe_dump(inventory(environment, hosts, keys), sort_keys=False))
    sites = {host.name: host.site for host in hosts}
    others = len(environment.trading_sites) > 1
    found = apart.provision(
        provisioning.Asked(
            reach=Reach(inventory=file),
            names=names,
            reboot=True,
            drain=again and others and sites[names[0]] in environment.trading_sites,
        ),
        progress,
    )
    if failed := [f"{one.host}: {one.failure}" for one in found.hosts if one.failure is not None]:
        hints = [one.failure.hint for one in found.hosts if one.failure is not None]
        raise OpsctlError(
            f"hosts of {environment.name} could not be given their profile; "
            "services were not deployed on them",
            details=failed,
            hint=f"{hints[0]}; then deploy again, or --no-provision to leave hosts as they are",
        )
    return found.run, {one.host: one.outcome for one in found.hosts}


def _ready(host: Host, outcomes: Mapping[str, Outcome]) -> HostReady:
    return HostReady(
        name=host.name,
        site=host.site,
        address=host.address,
        through=host.through,
        profile=outcomes.get(host.name, ""),
    )
