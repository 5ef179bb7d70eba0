"""The Docker hosts of an environment: which engine each place is in, how hosts reach one another.

Pure. Places that name the same engine share a host, and fail with it.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from ipaddress import IPv4Address
from typing import TYPE_CHECKING, Annotated, Any
from urllib.parse import urlsplit

from pydantic import BeforeValidator, Field

from opsctl.model.value import Value

if TYPE_CHECKING:
    from opsctl.model.environment import Environment

PORT = 7400
"""Where a host's relay listens for those of other hosts, unless the host says otherwise."""
MARKET = "market"
"""The place of the venue, which stands outside every site of the firm."""
_SOCKET = re.compile(r"unix://(/[^\s?#]+)")
_NAME = re.compile(r"[a-zA-Z0-9_][a-zA-Z0-9_.-]*")
_SESSION = re.compile(r"session-manager/(?P<instance>i-[0-9a-f]{8,17})@(?P<region>[a-z0-9-]+)")


def _engine(value: Any) -> Any:
    if not isinstance(value, str):
        raise ValueError("must be the address of an engine: unix:///path or ssh://user@host")
    if value == "" or _SOCKET.fullmatch(value):
        return value
    if value.startswith("tcp://"):
        raise ValueError(
            "tcp:// is no way to an engine: whoever reaches the port is root there; "
            "write ssh://user@host"
        )
    try:
        parts = urlsplit(value)
        port, user, host = parts.port, parts.username, parts.hostname
    except ValueError:
        parts = None
        port = user = host = None
    if (
        parts is None
        or parts.scheme != "ssh"
        or not host
        # `ssh -oProxyCommand=…` is a command, not a host.
        or not _NAME.fullmatch(host)
        or not (user is None or _NAME.fullmatch(user))
        or parts.password is not None
        or not re.fullmatch(r"/[^\s:]*|", parts.path)
        or parts.query
        or parts.fragment
        or port == 0
    ):
        raise ValueError(
            "must be the address of an engine: unix:///path or ssh://user@host[:port][/socket], "
            "without a password"
        )
    return value.rstrip("/")


def _address(value: Any) -> Any:
    if value == "":
        return value
    try:
        found = IPv4Address(value)
    except ValueError as fault:
        raise ValueError("must be an IPv4 address, as other hosts reach it") from fault
    if found.is_unspecified or found.is_multicast:
        raise ValueError("must be an IPv4 address, as other hosts reach it")
    return str(found)


HostKey = Annotated[str, Field(pattern=r"^([a-z0-9@.-]+ [A-Za-z0-9+/]+={0,3})?$")]
"""A public key as `ssh-keyscan` prints it, without the host: `ssh-ed25519 AAAA…`; may be empty."""
KeyFile = Annotated[str, Field(pattern=r"^([~/][^\n\r]*)?$")]
"""The file of a private key on the machine that connects, never the key; may be empty."""
Through = Annotated[str, Field(pattern=rf"^({_SESSION.pattern})?$")]
"""What ssh goes through, as one word and never a command; may be empty."""


class Way(Value):
    """How ssh comes to a host, and knows it: what its address does not say."""

    host_key: HostKey = ""
    """Empty: the one that ssh knows of itself."""
    through: Through = ""
    """Empty: its address is reached from here."""
    key: KeyFile = ""
    """Of who logs in; empty: as ssh or its agent says."""

    @property
    def session(self) -> tuple[str, str] | None:
        """The instance and the region of what goes through Session Manager; None: it does not."""
        found = _SESSION.fullmatch(self.through)
        return (found["instance"], found["region"]) if found else None


class At(Value):
    """Where a place is: an engine, and the address under which other hosts reach its host."""

    engine: Annotated[str, BeforeValidator(_engine)] = Field(
        "", description="unix:///path or ssh://user@host; empty: the engine of this machine"
    )
    address: Annotated[str, BeforeValidator(_address)] = Field(
        "", description="IPv4 address that other hosts reach; of ssh://, the one it names"
    )
    port: Annotated[int, Field(ge=1, le=65_535)] = Field(
        PORT, description="port of that address for the links between hosts"
    )
    host_key: HostKey = Field(
        "", description="public key that its sshd must have; empty: as ssh's own files know it"
    )
    through: Through = Field(
        "", description="session-manager/INSTANCE@REGION: ssh goes through AWS, not to the address"
    )
    key: KeyFile = Field(
        "", description="file of the private key on this machine; empty: as ssh or its agent says"
    )

    @property
    def way(self) -> Way:
        """How ssh comes to it."""
        return Way(host_key=self.host_key, through=self.through, key=self.key)


def written(value: Any) -> Any:
    """Return what a file says of a place as a mapping: an engine alone is its short form."""
    return {"engine": value} if isinstance(value, str) else value


Hosts = dict[str, Annotated[At, BeforeValidator(written)]]


class DockerHost(Value):
    """One host: an engine, and the places of an environment that are in it."""

    name: str
    """The first of its places: what the parts of a host are named by."""
    engine: str
    """Empty: the engine of this machine, or `DOCKER_HOST`."""
    places: tuple[str, ...]
    address: str = ""
    port: int = PORT
    way: Way = Way()

    @property
    def relay(self) -> str:
        """The place of what carries the links of this host, where there are several."""
        return f"between-{self.name}"

    @property
    def remote(self) -> bool:
        """Whether it is reached by ssh, and nothing of it on this machine."""
        return self.engine.startswith("ssh://")


def places(environment: Environment) -> tuple[str, ...]:
    """Return the places of an environment: its sites, and the venue's."""
    return (*environment.sites, MARKET)


def hosts(environment: Environment) -> tuple[DockerHost, ...]:
    """Return the hosts of an environment, one where it names none.

    A place that is not named is in the engine of this machine; the venue, unless it is
    named, is where the witness is, which outlives the loss of a site, else where the first
    site is.
    """
    named = environment.hosts
    default = named.get(environment.sites[-1], At())
    found: dict[str, list[tuple[str, At]]] = {}
    for place in places(environment):
        at = named.get(place, default if place == MARKET else At())
        found.setdefault(at.engine, []).append((place, at))
    return tuple(
        DockerHost(
            name=on[0][0],
            engine=engine,
            places=tuple(place for place, _ in on),
            address=next((at.address for _, at in on if at.address), _of_ssh(engine)),
            port=next((at.port for _, at in on if at.port != PORT), PORT),
            way=next((at.way for _, at in on if at.way != Way()), Way()),
        )
        for engine, on in found.items()
    )


def host_of(environment: Environment, place: str) -> DockerHost:
    """Return the host that a place is on; that of a host's own relay too."""
    every = hosts(environment)
    for host in every:
        if place in host.places or place == host.relay:
            return host
    return every[0]


def apart(environment: Environment) -> bool:
    """Return whether an environment is on several hosts."""
    return bool(environment.hosts) and len(hosts(environment)) > 1


def _of_ssh(engine: str) -> str:
    """Return the address that an `ssh://` names, where it is one and not a name."""
    host = urlsplit(engine).hostname or "" if engine.startswith("ssh://") else ""
    try:
        return str(IPv4Address(host))
    except ValueError:
        return ""


def faults(
    named: Mapping[str, At], target: str, environment: Environment
) -> Iterator[tuple[str, str]]:
    """Yield the place and what is wrong with what is said of it."""
    known = places(environment)
    if named and target != "docker":
        yield next(iter(named)), f"hosts are of target docker, and this is {target}"
        return
    for place in named:
        if place not in known:
            yield place, f"is no place of this environment: {', '.join(known)}"
        elif named[place].way != Way() and not named[place].engine.startswith("ssh://"):
            yield place, "host_key, through and key are of an engine behind ssh://"
    if not apart(environment):
        return
    for host in hosts(environment):
        said = [named[p] for p in host.places if p in named]
        if len({at.address for at in said if at.address}) > 1:
            yield host.name, f"{_and(host.places)} are on one engine, under two addresses"
        if not host.address:
            engine = host.engine or "the engine of this machine"
            yield (
                host.name,
                (
                    f"other hosts must reach {engine}: write {{engine: {host.engine or '...'}, "
                    "address: IPv4}"
                ),
            )
    ends = [(h.address, h.port) for h in hosts(environment) if h.address]
    if len(set(ends)) < len(ends):
        yield hosts(environment)[-1].name, "two hosts have one address and port"


def _and(names: Iterable[str]) -> str:
    return " and ".join(names)
