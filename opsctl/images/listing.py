"""Which images there are, where each comes from, and which the engine holds."""

from __future__ import annotations

from collections.abc import Sequence

from opsctl.errors import UsageError
from opsctl.images.building import REPOSITORY
from opsctl.images.configuration import IMAGE, REVISION
from opsctl.images.contents import made_from
from opsctl.images.definition import AppImage, ServerImage, base, chosen, definitions
from opsctl.images.engine import EngineRefused, Held, connected
from opsctl.images.results import ImagesListed, ListedImage
from opsctl.images.source import Source, source
from opsctl.model.environment import Environment, Images


def listed(environment: Environment | None = None, *, engine: str | None = None) -> ImagesListed:
    """Return every image, as an environment has it where one is given.

    An engine that cannot be asked is a note in the result, not an error.
    """
    wanted = environment.images if environment else Images()
    address, held, note = _held(engine)
    found = source()
    shown: list[ListedImage] = []
    for image in definitions():
        named = {s: wanted.use[s] for s in image.services if s in wanted.use}
        left = tuple(s for s in image.services if s not in named)
        if left:
            shown.append(_built(image, left, wanted, held, found))
        shown += [_named(image, service, reference, held) for service, reference in named.items()]
    return ImagesListed(
        engine=address,
        environment=environment.name if environment else "",
        note=note,
        images=tuple(shown),
    )


def references(names: tuple[str, ...]) -> tuple[str, ...]:
    """Return repository and tag of images as they would be built now, all where none is named."""
    found = source()
    return tuple(f"{REPOSITORY}/{i.name}:{tag_of(i, found)}" for i in chosen(names))


def tag_of(image: AppImage | ServerImage, found: Source) -> str:
    """Return the tag of an image as it would be built now."""
    return found.commit(made_from(image)).tag


def refuse_unbuilt(absent: Sequence[str]) -> None:
    """Raise `UsageError` for images that an engine does not hold as this commit makes them."""
    if absent:
        raise UsageError(
            f"not built from this commit: {', '.join(absent)}",
            hint=f"opsctl images build {' '.join(absent)}",
        )


def _held(engine: str | None) -> tuple[str, tuple[Held, ...] | None, str]:
    """Return the engine's address and images, or why they cannot be known."""
    try:
        with connected(engine) as host:
            return host.address, host.held(), ""
    except EngineRefused as error:
        return "", None, error.message


def _built(
    image: AppImage | ServerImage,
    services: tuple[str, ...],
    wanted: Images,
    held: tuple[Held, ...] | None,
    found: Source,
) -> ListedImage:
    reference = f"{REPOSITORY}/{image.name}:{tag_of(image, found)}"
    ours = [h for h in held or () if h.labels.get(IMAGE) == image.name]
    here = next((h for h in ours if reference in h.tags), None)
    official = isinstance(image, AppImage) and wanted.base
    state = "present" if here else "outdated" if ours else "absent"
    return ListedImage.model_validate(
        {
            "name": image.name,
            "title": image.title,
            "services": services,
            "origin": "built here",
            "base": official or f"Debian {base().suite} packages",
            "reference": reference,
            "id": here.id if here else "",
            "bytes": here.bytes if here else None,
            "revision": here.labels.get(REVISION, "") if here else "",
            "digests": here.digests if here else (),
            "state": "not looked at" if held is None else state,
        }
    )


def _named(
    image: AppImage | ServerImage, service: str, reference: str, held: tuple[Held, ...] | None
) -> ListedImage:
    here = next((h for h in held or () if reference in (h.id, *h.digests)), None)
    return ListedImage.model_validate(
        {
            "name": image.name,
            "title": image.title,
            "services": (service,),
            "origin": "named by the environment",
            "base": "",
            "reference": reference,
            "id": here.id if here else "",
            "bytes": here.bytes if here else None,
            "revision": here.labels.get(REVISION, "") if here else "",
            "digests": here.digests if here else (),
            "state": "not looked at" if held is None else "present" if here else "absent",
        }
    )
