"""The hosts that a stack hands out, as values that know no cloud: what they are to the rest.

Pure. A host is a place of the environment, reached by ssh, and a box that is provisioned.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from ipaddress import IPv4Address
from typing import Any

from pydantic import ValidationError

from opsctl.errors import OpsctlError
from opsctl.images.ssh import proxy
from opsctl.infra.results import Output
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.hosts import At, Through, Way
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value
from opsctl.provision.inventory import HOST_KEY, OWNER, PROFILE_NAME

OUTPUT = "hosts"
"""The output of every stack that lists its hosts."""
SESSION_MANAGER = "session-manager"


class Host(Value):
    """A host: which site is on it, and how it is reached."""

    name: str
    site: str
    role: str
    address: IPv4Address
    """As the other hosts reach it."""
    user: str
    """Who logs in; may use the Docker Engine, and sudo."""
    instance: str = ""
    """Tells it from one that takes its place; empty where nothing does."""
    region: str = ""
    through: Through = ""
    """Empty: ssh reaches its address from here."""

    @property
    def same(self) -> str:
        """What is remembered of it by: another machine of its name is a stranger."""
        return self.instance or self.name

    @property
    def engine(self) -> str:
        """The address of its Docker Engine."""
        return f"ssh://{self.user}@{self.address}"

    def way(self, key: str) -> Way:
        """Return how ssh comes to it, which has that key."""
        return Way(host_key=key, through=self.through)


def handed_out(environment: str, outputs: Mapping[str, Output]) -> tuple[Host, ...]:
    """Return the hosts among the outputs of a stack, each site's one.

    Raises:
        OpsctlError: the stack handed out none, or in a form of another release.
    """
    listed = outputs[OUTPUT].value if OUTPUT in outputs else ()
    if not listed:
        raise OpsctlError(
            f"there are no hosts of {environment} yet",
            hint=f"make them first: opsctl deploy {environment} --only infrastructure",
        )
    try:
        return tuple(map(_host, listed))
    except (KeyError, TypeError, ValidationError) as fault:
        raise OpsctlError(
            f"the stack of {environment} hands out its hosts in a form that is not known: {fault}",
            hint=f"it is of another release: opsctl deploy {environment} --only infrastructure",
        ) from fault


def _host(said: Mapping[str, Any]) -> Host:
    reach, instance = said["reach"], said.get("instance", "")
    session = reach["by"] == SESSION_MANAGER
    return Host(
        name=said["name"],
        site=said["site"],
        role=said["role"],
        address=said["address"],
        user=reach["user"],
        instance=instance,
        region=said.get("region", ""),
        through=f"{SESSION_MANAGER}/{instance}@{reach['region']}" if session else "",
    )


def placed(
    environment: Environment, hosts: tuple[Host, ...], keys: Mapping[str, str]
) -> Environment:
    """Return an environment on its hosts; `keys` has the public key of each, by name."""
    at = {
        host.site: At(
            engine=host.engine,
            address=str(host.address),
            host_key=keys[host.name],
            through=host.through,
        )
        for host in hosts
    }
    return environment.model_copy(update={"hosts": at})


def inventory(
    environment: Environment, hosts: tuple[Host, ...], keys: Mapping[str, str]
) -> dict[str, Any]:
    """Return the inventory of hosts for `opsctl provision`, each in the group of its tier."""
    groups: dict[str, dict[str, Any]] = {}
    for host in hosts:
        said = {
            "ansible_host": str(host.address),
            "ansible_user": host.user,
            HOST_KEY: keys[host.name],
            OWNER: environment.name,
        }
        if environment.aws.profile:
            said[PROFILE_NAME] = environment.aws.profile
        if (session := host.way("").session) is not None:
            said["ansible_ssh_common_args"] = shlex.join(("-o", f"ProxyCommand={proxy(*session)}"))
        groups.setdefault(_tier(environment, host).value, {})[host.name] = said
    return {"all": {"children": {tier: {"hosts": found} for tier, found in groups.items()}}}


def _tier(environment: Environment, host: Host) -> LatencyTier:
    """Return the tier of a host's profile: what only votes isolates no cores."""
    if host.site == WITNESS and environment.tier is LatencyTier.HFT:
        return LatencyTier.INTRADAY
    return environment.tier
