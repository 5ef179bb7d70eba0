"""What `opsctl images` answers: the JSON results, which are a contract."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from opsctl.model.value import Value


class ShownLayer(Value):
    """A layer of an image."""

    slot: str
    diff_id: str
    bytes: int


class BuiltImage(Value):
    """An image as an engine holds it now."""

    name: str
    services: tuple[str, ...]
    reference: str
    """Repository and tag."""
    id: str
    """The digest of the image's configuration, which names every layer by digest."""
    revision: str
    """The last commit that changed what it is made from; `-dirty` where files differ from it."""
    base: str
    bytes: int
    above_base_bytes: int
    layers: tuple[ShownLayer, ...]
    sbom: Path
    outcome: Literal["built", "unchanged"]


class ImagesBuilt(Value):
    """The result of `opsctl images build`."""

    engine: str
    images: tuple[BuiltImage, ...]
    duration_s: float


class ListedImage(Value):
    """An image, where it comes from, and whether the engine holds it."""

    name: str
    title: str
    services: tuple[str, ...]
    origin: Literal["built here", "named by the environment"]
    base: str
    """What a built image stands on."""
    reference: str
    id: str = ""
    bytes: int | None = None
    revision: str = ""
    digests: tuple[str, ...] = ()
    """By which registries know it."""
    state: Literal["present", "outdated", "absent", "not looked at"]
    """`outdated`: the engine holds one of another commit only."""


class ImagesListed(Value):
    """The result of `opsctl images list`."""

    engine: str
    environment: str
    note: str = ""
    """Why the engine could not be looked at; empty where it could."""
    images: tuple[ListedImage, ...]


class CarriedImage(Value):
    """An image in an archive."""

    reference: str
    id: str
    bytes: int


class ImagesSaved(Value):
    """The result of `opsctl images save`; compare `sha256` on the host that loads it."""

    file: str
    sha256: str
    bytes: int
    images: tuple[CarriedImage, ...]


class ImagesLoaded(Value):
    """The result of `opsctl images load`."""

    engine: str
    images: tuple[CarriedImage, ...]


class PushedImage(Value):
    """An image in a registry, by the digest that it has there."""

    name: str
    reference: str
    """`registry/repository@sha256:…`: what a host pulls."""
    tag: str
    id: str


class ImagesPushed(Value):
    """The result of `opsctl images push`."""

    registry: str
    images: tuple[PushedImage, ...]


class Finding(Value):
    """A known vulnerability of a package."""

    package: str
    version: str
    id: str
    fixed_in: tuple[str, ...]
    images: tuple[str, ...]


class Looked(Value):
    """One source of vulnerabilities, and whether it could be asked."""

    source: str
    asked: bool
    packages: int
    why: str = ""
    """Why it could not be asked."""


class ImagesScanned(Value):
    """The result of `opsctl images scan`.

    `unknown`: nothing was found, and not everything could be looked at.
    """

    verdict: Literal["clean", "vulnerable", "unknown"]
    looked: tuple[Looked, ...]
    findings: tuple[Finding, ...]
