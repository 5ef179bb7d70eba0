"""Images for every host: found where they were built, and streamed to the hosts that lack them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from opsctl.errors import OpsctlError, UsageError
from opsctl.images import official
from opsctl.images.engine import Engine, EngineRefused, connect
from opsctl.images.running import Runnable, runnable
from opsctl.model.environment import Images
from opsctl.services.base import Service
from opsctl.targets.applying import event
from opsctl.targets.base import Event
from opsctl.targets.docker.hosts import Hosts

TOLD_BYTES = 100_000_000
"""Progress is told each time so much was sent."""


def wanted_images(hosts: Hosts, services: Sequence[Service], images: Images) -> dict[str, Runnable]:
    """Return the image of each service, from the first engine that has them all.

    The engine of this machine is where they are built; where there is none, a host is.
    Raises as `runnable` does.
    """
    names = sorted({service.name for service in services})
    first: UsageError | None = None
    for engine in _sources(hosts):
        try:
            return runnable(names, images, engine)
        except UsageError as fault:
            first = first or fault
    raise first or UsageError("no engine answers", hint="docker info")


def _sources(hosts: Hosts) -> Iterator[Engine]:
    """Yield the engines that may have images; raise where none answers."""
    up, down = hosts.answering()
    own = [engine for host, engine in up.items() if not host.engine]
    if not own and hosts.all[0].engine:
        try:
            own = [connect()]
        except OpsctlError as fault:
            if not up:
                raise next(iter(down.values()), fault) from fault
    yield from (*own, *(engine for host, engine in up.items() if host.engine))
    if not own and not up:
        raise next(iter(down.values()))


def carry_images(hosts: Hosts, services: Sequence[Service], python: Runnable) -> Iterator[Event]:
    """Stream to each host the images that its services need and it lacks; yield progress."""
    for host in hosts.all:
        engine = hosts.engine(host)
        here = [s.image for s in services if hosts.of(s.site) == host]
        lacking = [r for r in dict.fromkeys((*here, python.reference)) if engine.find(r) is None]
        for reference in [r for r in lacking if "@" in r]:  # by digest: from its registry
            official.pulled(engine, reference)
        ours = [r for r in lacking if "@" not in r]
        if ours:
            yield from _stream(hosts, engine, f"images@{host.name}", ours)


def _stream(hosts: Hosts, to: Engine, key: str, ids: Sequence[str]) -> Iterator[Event]:
    """Send images by their names, so that they bear them there too."""
    for source in _sources(hosts):
        held = [source.find(each) for each in ids]
        if source.address != to.address and all(held):
            break
    else:
        raise EngineRefused(
            f"no engine that answers has {', '.join(ids)}", hint="opsctl images build"
        )
    names = tuple(h.tags[0] if h.tags else h.id for h in held if h is not None)
    total = sum(h.bytes for h in held if h is not None)
    yield event(key, "preparing", f"{len(names)} images for {to.address}")
    told = Told()
    to.load(told.counted(source.export(names)))
    said = f"{len(names)} images, {told.bytes / 1e6:.0f} MB (of {total / 1e6:.0f})"
    yield event(key, "preparing", said)
    if missing := [each for each in ids if to.find(each) is None]:
        raise EngineRefused(
            f"{to.address} took the images and does not hold {', '.join(missing)}",
            hint="its engine may keep images under other ids (containerd): "
            "turn its containerd snapshotter off, or use a registry",
        )


class Told:
    """How much went by."""

    def __init__(self) -> None:
        """Begin at nothing."""
        self.bytes = 0

    def counted(self, parts: Iterator[bytes]) -> Iterator[bytes]:
        """Yield parts, and count their bytes."""
        for part in parts:
            self.bytes += len(part)
            yield part
