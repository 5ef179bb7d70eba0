"""What a target needs to run a service in a container: which image, as whom, and its health."""

from __future__ import annotations

from collections.abc import Sequence

from opsctl.errors import UsageError
from opsctl.images import official
from opsctl.images.building import REPOSITORY
from opsctl.images.configuration import IMAGE, PYTHON, REVISION
from opsctl.images.contents import PROBE
from opsctl.images.definition import of_service
from opsctl.images.engine import Engine, Held
from opsctl.images.listing import refuse_unbuilt, tag_of
from opsctl.images.source import source
from opsctl.model.environment import Images
from opsctl.model.value import Value


class Runnable(Value):
    """The image of one service on one engine; equal values run the same bytes the same way.

    Programs are on the image's PATH: the first word of a command is a name (`postgres`), not
    a place, so that an official image serves as well as ours.
    """

    service: str
    image: str
    """Its name among ours, also where another stands in its place."""
    reference: str
    """By digest: `repository@sha256:…` from a registry, `sha256:…` where an engine has it only."""
    user: str
    """As the image says it; empty: root, which a target refuses."""
    python: tuple[str, ...] = ()
    """The words that start the interpreter of an app of ours; empty in other images."""
    healthcheck: tuple[str, ...] = ()
    """The words of the image's own probe; empty where it has none and a target probes itself."""
    own: bool
    """Whether we made it: its probe takes PROBE_* variables, its files are where ours are."""
    revision: str = ""


def runnable(services: Sequence[str], wanted: Images, host: Engine) -> dict[str, Runnable]:
    """Return the image of each of these services as an engine holds it.

    What an environment names is pulled where it is not there; ours must have been built from
    this commit. Raises `UsageError` naming every image that has not, before anything is pulled.
    """
    found = source()
    ours = {
        name: f"{REPOSITORY}/{image.name}:{tag_of(image, found)}"
        for name in services
        if name not in wanted.use
        for image in [of_service(name)]
    }
    held = {reference: host.find(reference) for reference in dict.fromkeys(ours.values())}
    refuse_unbuilt(
        sorted({of_service(name).name for name, ref in ours.items() if held[ref] is None})
    )
    made: dict[str, Runnable] = {}
    for name in services:
        if name in wanted.use:
            official.pulled(host, wanted.use[name])
        reference = wanted.use.get(name) or ours[name]
        here = held.get(reference) or host.find(reference)
        assert here is not None  # noqa: S101 - built, or pulled just now
        made[name] = _runnable(name, here, wanted)
    return made


def with_python(host: Engine) -> tuple[Held, tuple[str, ...]]:
    """Return the smallest image of ours on an engine that has Python, and what starts it.

    Raises `UsageError` where it has none.
    """
    for held in sorted(host.held(), key=lambda one: one.bytes):
        if held.labels.get(IMAGE) and (words := _python(held)):
            return held, words
    raise UsageError(
        f"the engine {host.address} holds no image of ours", hint="opsctl images build"
    )


def _python(held: Held) -> tuple[str, ...]:
    """Return the words that start the interpreter of an image of ours, by its own probe."""
    probe = held.healthcheck[1:] if held.healthcheck[:1] == ("CMD",) else ()
    return probe[: probe.index("-I")] if f"/{PROBE}" in probe else ()


def _runnable(service: str, here: Held, wanted: Images) -> Runnable:
    image = of_service(service)
    own = here.labels.get(IMAGE) == image.name
    ours = f"{wanted.registry}/"  # with its end: `host/quant` is not `host/quant2`
    by_registry = [d for d in here.digests if wanted.registry and d.startswith(ours)]
    probe = here.healthcheck[1:] if here.healthcheck[:1] == ("CMD",) else ()
    python = _python(here) if own else ()
    return Runnable(
        service=service,
        image=image.name,
        reference=wanted.use.get(service) or (by_registry[0] if by_registry else here.id),
        user=here.user,
        python=python or (PYTHON if own else ()),
        healthcheck=probe,
        own=own,
        revision=here.labels.get(REVISION, ""),
    )
