"""What a host is to whoever deploys on it: sshd at an address, and an engine.

A fake box, with the address that a stack gave to an instance where it is one of a cloud, and a
Docker Engine of its own in its network. As its kernel is this machine's, provisioning refuses it,
as any container, but for one that is `taken`.
"""

from __future__ import annotations

import contextlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from ipaddress import IPv4Interface
from pathlib import Path

import docker

from tests.support import engine as engines
from tests.support import fleet as boxes
from tests.support.fleet import USER as USER
from tests.support.second_host import Namespaced
from tests.support.servers import folder

EMPTY: dict[str, list[str]] = {"containers": [], "volumes": [], "networks": []}
"""What an engine holds of which everything was taken away."""


def lacking() -> str:
    """Return why there can be no such host; empty where there can."""
    return engines.lacking() or boxes.lacking()


@dataclass
class CloudHost:
    """A running host."""

    engine: Namespaced
    config: Path
    """The configuration of ssh that has the operator's key, and knows no host."""
    box: boxes.FakeBox


def holds(engine: Namespaced) -> dict[str, list[str]]:
    """Return what an engine holds besides images."""
    with contextlib.closing(docker.DockerClient(base_url=engine.address)) as client:
        return {
            "containers": [one.name for one in client.containers.list(all=True)],
            "volumes": [one.name for one in client.volumes.list()],
            "networks": [n.name for n in client.networks.list() if n.name.count("-")],
        }


@contextlib.contextmanager
def engine_in(box: boxes.FakeBox) -> Iterator[Namespaced]:
    """Yield an engine in the network of a box, which its user may use."""
    with folder() as home, contextlib.ExitStack() as undo:
        engine = Namespaced(home, box.namespace, "--log-level=warn")
        undo.callback(engines.unmount, home)
        undo.callback(engine.stop)
        engine.start()
        undo.callback(engines.disconnect, engine)
        engine.socket.chmod(0o666)  # as for the group that its user is in
        box.show(engine.socket, "/run/docker.sock")
        yield engine


@contextlib.contextmanager
def cloud_hosts(
    addresses: Sequence[IPv4Interface], *, taken: bool = False
) -> Iterator[list[CloudHost]]:
    """Yield hosts at addresses of one network, whose other addresses reach them."""
    kinds = [boxes.Kind(taken=taken)] * len(addresses)
    with boxes.fleet(kinds, addresses) as fleet, contextlib.ExitStack() as stack:
        config = fleet.home / "ssh_config"
        config.write_text(
            f"IdentityFile {fleet.home / 'user'}\nIdentitiesOnly yes\n"
            "UserKnownHostsFile none\nGlobalKnownHostsFile none\n"
        )
        yield [CloudHost(stack.enter_context(engine_in(box)), config, box) for box in fleet.boxes]
