"""The hosts that a stack hands out, as values that know no cloud: what they are to the rest.

Pure. A host is a place of the environment, reached by ssh. One of a cloud is a box that is to be
provisioned; a server of one's own was, when it was declared.
"""

from __future__ import annotations

import shlex
from collections.abc import Mapping
from typing import Any

from pydantic import ValidationError

from opsctl.errors import OpsctlError
from opsctl.images.ssh import proxy
from opsctl.infra.results import Output
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.hosts import At, KeyFile, Through, Way
from opsctl.model.onprem import SPARE, SSH_PORT
from opsctl.model.tiers import LatencyTier
from opsctl.model.value import Value
from opsctl.provision.inventory import HOST_KEY, OWNER, PROFILE_NAME

OUTPUT = "hosts"
"""The output of every stack that lists its hosts."""
SESSION_MANAGER, OWN = "session-manager", "ssh"
"""How a host is reached that its address alone does not lead to, and a server of one's own."""


class Host(Value):
    """A host: which site is on it, and how it is reached."""

    name: str
    site: str
    role: str
    address: str
    """As the other hosts reach it: IPv4, or of a server of one's own a name."""
    user: str
    """Who logs in; may use the Docker Engine, and sudo. Empty: as ssh says."""
    port: int = SSH_PORT
    key: KeyFile = ""
    """Of who logs in: its file on this machine; empty: as ssh or its agent says."""
    own: bool = False
    """Whether it is a server of one's own: it was there before, and is provisioned already."""
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
        user = f"{self.user}@" if self.user else ""
        port = f":{self.port}" if self.port != SSH_PORT else ""
        return f"ssh://{user}{self.address}{port}"

    def way(self, host_key: str) -> Way:
        """Return how ssh comes to it, which has that public key."""
        return Way(host_key=host_key, through=self.through, key=self.key)


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
        return tuple(_host(one) for one in listed if one["role"] != SPARE)
    except (KeyError, TypeError, ValidationError) as fault:
        raise OpsctlError(
            f"the stack of {environment} hands out its hosts in a form that is not known: {fault}",
            hint=f"it is of another release: opsctl deploy {environment} --only infrastructure",
        ) from fault


def _host(said: Mapping[str, Any]) -> Host:
    reach, instance = said["reach"], said.get("instance", "")
    session, own = reach["by"] == SESSION_MANAGER, reach["by"] == OWN
    return Host(
        name=said["name"],
        site=said["site"],
        role=said["role"],
        address=said["address"],
        user=reach["user"],
        port=int(reach["port"]) if own else SSH_PORT,
        key=reach["key"] if own else "",
        own=own,
        instance=instance,
        region=said.get("region", ""),
        through=f"{SESSION_MANAGER}/{instance}@{reach['region']}" if session else "",
    )


def is_address(text: str) -> bool:
    """Return whether it is an IPv4 address, and not a name."""
    return text.replace(".", "").isdigit()


def placed(
    environment: Environment, hosts: tuple[Host, ...], keys: Mapping[str, str]
) -> Environment:
    """Return an environment on its hosts; `keys` has the public key of each, by name."""
    at = {
        host.site: At(
            engine=host.engine,
            address=host.address if is_address(host.address) else "",
            host_key=keys[host.name],
            through=host.through,
            key=host.key,
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
            "ansible_host": host.address,
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
