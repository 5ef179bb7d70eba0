"""The network between the places of an environment, as a process that a drill can disturb."""

from __future__ import annotations

from collections.abc import Mapping

from apps.core.settings import NetworkSettings
from opsctl.model.environment import Environment
from opsctl.model.hosts import DockerHost, apart, host_of
from opsctl.model.topology import Link, links, relay_of
from opsctl.services import app
from opsctl.services.base import Address, Host, Service
from opsctl.services.links import NETWORK, asked, far_end, near_end, port_name

NAME = NETWORK
CA = "tls/ca.crt"
DOOR = "door"
"""The port at which the network app of a host is reached by those of other hosts."""


def bears(host: DockerHost) -> str:
    """Return the name in the certificate of a host's network app."""
    return f"relay-{host.name}"


def service(environment: Environment, site: str, host: Host) -> Service:
    """Return an app that carries links: all of them, or those of one of several hosts.

    What leads to another host goes to that host's app, by mutual TLS, and asks it for the link.
    """
    dialled = [link for link in links(environment) if relay_of(environment, link.dialer) == site]
    wiring: dict[str, object] = {
        "links": {
            link.name: {
                "listen": str(near_end(environment, link, host)),
                **_onward(environment, link, site, host),
                "asked": asked(link),
            }
            for link in dialled
        }
    }
    ports = {port_name(link): near_end(environment, link, host).port for link in dialled}
    out = dict.fromkeys(far_end(environment, link, host) for link in dialled if link.leaves)
    if not apart(environment):
        made = _app(environment, site, host, wiring, ports)
        return made.model_copy(update={"reaches": tuple(out)})
    here, door = host_of(environment, site), host.address(NAME, site, DOOR)
    entering = {
        link.name: {
            "listen": str(door),
            "to": str(far_end(environment, link, host)),
            "asked": link.name,
            "of": bears(host_of(environment, link.dialer)),
        }
        for link in links(environment)
        if not link.leaves
        and relay_of(environment, link.to) == site != relay_of(environment, link.dialer)
    }
    secrets = (CA, f"tls/{bears(here)}.crt", f"tls/{bears(here)}.key")
    files = zip(("ca", "cert", "key"), secrets, strict=True)
    wiring["links"] = {**dict(wiring["links"]), **entering}  # type: ignore[call-overload]
    wiring |= {f"tls_{kind}_file": host.secret(name) for kind, name in files}
    made = _app(environment, site, host, wiring, {**ports, DOOR: door.port}, secrets)
    published = {DOOR: Address(host=here.address, port=here.port)}
    return made.model_copy(update={"published": published, "reaches": tuple(out)})


def _onward(environment: Environment, link: Link, site: str, host: Host) -> Mapping[str, str]:
    """Return where a link goes on to: its far end, or the network app of another host."""
    if link.leaves or relay_of(environment, link.to) == site:
        return {"to": str(far_end(environment, link, host))}
    other = host_of(environment, link.to)
    return {"to": f"{other.address}:{other.port}", "by": bears(other)}


def _app(
    environment: Environment,
    site: str,
    host: Host,
    wiring: Mapping[str, object],
    ports: Mapping[str, int],
    secrets: tuple[str, ...] = (),
) -> Service:
    return app.service(
        NetworkSettings,
        environment,
        site,
        host,
        name=NAME,
        module="apps.network",
        purpose="every link between sites and to the venue; a drill cuts, drops and delays them",
        wiring=wiring,
        ports=ports,
        secrets=secrets,
    )
