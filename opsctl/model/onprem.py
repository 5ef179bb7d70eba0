"""What an environment says of co-located and own servers: racks and what is in them.

Pure. What a server is to hold is its profile, that of the latency tier unless it says otherwise.
Secrets never stand here: a key is named by its file.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from ipaddress import IPv4Address
from typing import Annotated, Any, Literal

from pydantic import BeforeValidator, Field

from opsctl.model.aws import Site, Waiver
from opsctl.model.hosts import KeyFile
from opsctl.model.links import FloatingAddress, Link, unknown
from opsctl.model.links import faults as faults_of_links
from opsctl.model.resources import Whole
from opsctl.model.value import Value

SSH_PORT = 22
WITNESS = "witness"
SPARE = "spare"

Role = Literal["trading", "witness", "spare"]


def _address(value: Any) -> Any:
    """An IPv4 address or a name that SSH finds; never an option of ssh's."""
    if not isinstance(value, str) or not value:
        raise ValueError("must be an address or a name, as SSH reaches it")
    if value.replace(".", "").isdigit():
        try:
            return str(IPv4Address(value))
        except ValueError as fault:
            raise ValueError(f"must be an IPv4 address or a name: {fault}") from fault
    return value


def _public_key(value: Any) -> Any:
    if isinstance(value, str) and "PRIVATE KEY" in value:
        raise ValueError("is a private key: write the public one that the server has")
    return value


_NAME = r"^[a-z0-9][a-z0-9-]{0,40}$"
Name = Annotated[str, Field(pattern=_NAME)]
Address = Annotated[
    str, BeforeValidator(_address), Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9.-]{0,252}$")
]
User = Annotated[str, Field(pattern=r"^([a-z_][a-z0-9_-]{0,31})?$")]
_KEY = r"(ssh-ed25519|ssh-rsa|ecdsa-sha2-nistp(256|384|521)) [A-Za-z0-9+/=]+( [^\r\n]*)?"
HostKey = Annotated[str, BeforeValidator(_public_key), Field(pattern=rf"^({_KEY})?$")]
Port = Annotated[int, Whole, Field(ge=1, le=65_535)]
Nic = Annotated[str, Field(pattern=r"^[A-Za-z0-9_.:-]{1,15}$")]


class Rack(Value):
    """A rack, or a part of one: what fails as a whole."""

    site: Site = Field(description="the site of the environment that is in it")
    place: Annotated[str, Field(max_length=200)] = Field(
        "", description="where it stands, in words: building, cage, rack"
    )


class Server(Value):
    """A server that is there already; it is provisioned and read, never installed or wiped."""

    rack: Name = Field(description="the rack that it is in")
    address: Address = Field(description="IPv4 address or name, as SSH reaches it from here")
    port: Port = Field(SSH_PORT, description="port of its SSH server")
    user: User = Field(
        "", description="account that may sudo; empty: the one of all, else as SSH says"
    )
    role: Role | None = Field(
        None,
        description="`trading` or `witness`, by its site; `spare`: provisioned, and runs nothing",
    )
    profile: Annotated[str, Field(pattern=r"^([a-z][a-z0-9-]{0,40})?$")] = Field(
        "", description="a latency tier, or a NAME of site/profiles; empty: the environment's tier"
    )
    nics: tuple[Nic, ...] = Field(
        (), description="NICs that carry trading; empty: as its profile says"
    )
    host_key: HostKey = Field(
        "", description="its public host key; empty: the one that was pinned on this machine"
    )
    machine: Annotated[str, Field(pattern=r"^([0-9a-f]{32})?$")] = Field(
        "", description="its machine-id; another machine at the address is then refused"
    )


class OnpremSettings(Value):
    """The racks of an environment. `faults` says what does not fit together."""

    owner: Annotated[str, Field(max_length=100)] = Field(
        "", description="who answers for it: a team or an address"
    )
    user: User = Field("", description="account of servers that name none; it may sudo")
    key: KeyFile = Field(
        "", description="file of the private key on this machine; empty: as SSH or its agent says"
    )
    reboot: bool = Field(
        False, description="reboot a server where a setting needs it; else that waits, and is told"
    )
    racks: dict[Name, Rack] = Field({}, description="racks by name")
    servers: dict[Name, Server] = Field({}, description="servers by name")
    links: dict[Name, Link] = Field({}, description="cables between servers, and to ports")
    addresses: dict[Name, FloatingAddress] = Field(
        {}, description="addresses that one of several servers holds"
    )
    waivers: tuple[Waiver, ...] = Field((), description="guardrails that need not hold, and why")


def role_of(settings: OnpremSettings, server: Server) -> Role:
    """Return what a server is there for. KeyError: it is in a rack that is not declared."""
    if server.role is not None:
        return server.role
    return "witness" if settings.racks[server.rack].site == WITNESS else "trading"


def domains(settings: OnpremSettings, sites: Iterable[str]) -> tuple[str, ...]:
    """Return where these sites run, each place named once: what falls as a whole."""
    return tuple(dict.fromkeys(_place(settings, site) for site in sites))


def _place(settings: OnpremSettings, site: str) -> str:
    """Return where the server of a site stands; of a site that has none, the site."""
    for server in settings.servers.values():
        rack = settings.racks.get(server.rack)
        if rack and rack.site == site and role_of(settings, server) != SPARE:
            return rack.place or server.rack
    return site


Wrong = Iterator[tuple[tuple[str, ...], str]]


def faults(settings: OnpremSettings, sites: tuple[str, ...]) -> Wrong:
    """Yield the path and what does not fit together, or not with the sites of an environment."""
    if not settings.servers:
        yield ("servers",), "which servers are there? `opsctl stack discover` writes them"
        return
    for name, rack in settings.racks.items():
        if rack.site not in sites:
            yield ("racks", name, "site"), f"is no site of this environment: {', '.join(sites)}"
    for name, server in settings.servers.items():
        yield from _of_server(settings, name, server)
    yield from _of_sites(settings, sites)
    yield from _of_witness(settings, sites)
    ends: dict[tuple[str, int], str] = {}
    for name, server in settings.servers.items():
        other = ends.setdefault((server.address, server.port), name)
        if other != name:
            yield ("servers", name, "address"), f"is that of {other} too"
    reached = {name: server.address for name, server in settings.servers.items()}
    yield from faults_of_links(settings.links, settings.addresses, reached)
    if not settings.owner.strip():
        yield ("owner",), "who answers for it? Name a team or an address"


def _of_server(settings: OnpremSettings, name: str, server: Server) -> Wrong:
    if server.rack not in settings.racks:
        yield ("servers", name, "rack"), unknown("rack", server.rack, settings.racks)
        return
    site = settings.racks[server.rack].site
    fits = {"witness"} if site == WITNESS else {"trading"}
    if server.role not in (None, SPARE) and server.role not in fits:
        yield (
            ("servers", name, "role"),
            f"its rack {server.rack} is of site {site}: {', '.join(sorted({*fits, SPARE}))}",
        )


def _of_sites(settings: OnpremSettings, sites: tuple[str, ...]) -> Wrong:
    """Yield the sites that have not exactly one server to run on."""
    racks = settings.racks
    for site in sites:
        there = [
            name
            for name, server in settings.servers.items()
            if server.rack in racks
            and racks[server.rack].site == site
            and role_of(settings, server) != SPARE
        ]
        if not there:
            yield ("servers",), f"site {site} has no server to run on"
        for name in there[1:]:
            yield (
                ("servers", name, "rack"),
                f"site {site} runs on {there[0]} already: write `role: spare`, or correct its rack",
            )


def _of_witness(settings: OnpremSettings, sites: tuple[str, ...]) -> Wrong:
    """Yield what is wrong with a witness that falls together with one of two sites."""
    trading = [site for site in sites if site != WITNESS]
    places = {_place(settings, site): site for site in trading}
    if WITNESS not in sites or len(places) < len(trading):  # which rehearse, and say so
        return
    here = _place(settings, WITNESS)
    if here in places:
        yield (
            ("racks",),
            (
                f"site witness stands where site {places[here]} does, in {here}, which would take "
                "the quorum with it: give the witness a place of its own"
            ),
        )
