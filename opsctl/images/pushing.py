"""Putting images into a registry, and learning the digests that they have there."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor

from opsctl import evidence
from opsctl.errors import UsageError
from opsctl.images.building import REPOSITORY
from opsctl.images.definition import AppImage, ServerImage, chosen
from opsctl.images.engine import Engine, EngineRefused, connected, errors
from opsctl.images.listing import refuse_unbuilt, tag_of
from opsctl.images.results import ImagesPushed, PushedImage
from opsctl.images.source import source

Report = Callable[[str, str], None]

_REGISTRY = re.compile(r"[a-z0-9][a-z0-9.-]*(:[0-9]{1,5})?(/[a-z0-9._-]+)*")


def push(
    names: Sequence[str],
    registry: str,
    report: Report,
    *,
    engine: str | None = None,
    jobs: int = 2,
) -> ImagesPushed:
    """Push images as they are built from this commit to `REGISTRY/NAME:TAG`; leave evidence.

    The engine pushes, with the credentials of `docker login`. Raises `OpsctlError` before
    anything is sent where an image has not been built.
    """
    if _REGISTRY.fullmatch(registry) is None:
        raise UsageError(
            f"{registry!r} names no registry" if registry else "no registry is named",
            hint="--registry registry.example.com:5000/trading, "
            "or trading:images: {registry: ...} in the environment",
        )
    found = source()
    wanted = [(image, tag_of(image, found)) for image in chosen(tuple(names))]
    arguments = {"images": [i.name for i, _ in wanted], "registry": registry}
    with connected(engine) as host:
        absent = [i.name for i, tag in wanted if host.find(f"{REPOSITORY}/{i.name}:{tag}") is None]
        refuse_unbuilt(absent)
        with (
            evidence.recorded(command="images push", arguments=arguments) as run,
            ThreadPoolExecutor(jobs, "push") as pool,
        ):
            tasks = [pool.submit(_push, host, registry, i, tag, report) for i, tag in wanted]
            pushed = tuple(task.result() for task in tasks)
            run.result = {"images": [image.model_dump(mode="json") for image in pushed]}
    return ImagesPushed(registry=registry, images=pushed)


def _push(
    host: Engine, registry: str, image: AppImage | ServerImage, tag: str, report: Report
) -> PushedImage:
    local, repository = f"{REPOSITORY}/{image.name}:{tag}", f"{registry}/{image.name}"
    held = host.find(local)
    if held is None:
        raise EngineRefused(f"{local} is gone", hint=f"opsctl images build {image.name}")
    host.tag(held.id, repository, tag)
    report(image.name, f"pushing to {repository}:{tag}")
    digest = ""
    with errors(host.address):
        for event in host.client.images.push(repository, tag=tag, stream=True, decode=True):
            if "error" in event:
                raise EngineRefused(
                    f"{repository}:{tag} cannot be pushed: {event['error']}",
                    hint=f"docker login {registry.partition('/')[0]}, and see that the engine "
                    "reaches it; pushing again sends only what is missing",
                )
            digest = str((event.get("aux") or {}).get("Digest", digest))
    if not digest:
        raise EngineRefused(f"the registry did not say the digest of {repository}:{tag}")
    report(image.name, f"is {repository}@{digest[:19]}")
    return PushedImage(
        name=image.name, reference=f"{repository}@{digest}", tag=f"{repository}:{tag}", id=held.id
    )
