"""The definitions in `images/`: what is in each image, as data; one file an image."""

from __future__ import annotations

from functools import cache
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, ValidationError

from opsctl.errors import OpsctlError, UsageError
from opsctl.model.explain import meant
from opsctl.model.value import Value

Word = Annotated[str, Field(pattern=r"^[a-z][a-z0-9-]{0,30}$")]
PackageName = Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9.+-]+$")]

USER_ID = 10_001
"""Who runs in every image: no account of the host has this number."""
USER = f"{USER_ID}:{USER_ID}"


class Base(Value):
    """What every image stands on: packages of the distribution, without shell or package tools."""

    suite: Word
    python: str
    """The interpreter's version, such as 3.11: dependencies are chosen and compiled for it."""
    glibc: str
    packages: tuple[PackageName, ...]
    without: tuple[str, ...] = ()
    """Packages that are drawn in and not needed to run anything."""
    drop: tuple[str, ...] = ()
    """Patterns of paths that are left out."""


class AppImage(Value):
    """An image of one of our apps."""

    kind: Literal["app"] = "app"
    name: Word
    title: str
    services: tuple[Word, ...]
    """The services of the catalogue that run in it."""
    app: Word
    """The package under `apps/`."""
    groups: tuple[Word, ...]
    """Dependency groups of pyproject.toml, each a layer; what the first has is in no other."""
    files: dict[str, tuple[str, ...]] = {}
    """Single files out of a locked distribution that is not installed: name to patterns."""
    licenses: str = "Apache-2.0"


class ServerImage(Value):
    """An image of a program of the toolchain."""

    kind: Literal["server"] = "server"
    name: Word
    title: str
    services: tuple[Word, ...]
    program: Word
    """The program's name in the toolchain."""
    drop: tuple[str, ...] = ()
    """Patterns of paths of the program that are left out, relative to its folder."""
    packages: tuple[PackageName, ...] = ()
    """Packages of the distribution that it needs beside the base."""
    command: tuple[str, ...]
    """What runs where nobody names a command; a target always does."""
    probe: Literal["http", "valkey", "postgres"]
    environment: dict[str, str] = {}
    licenses: str


Definition = Annotated[AppImage | ServerImage, Field(discriminator="kind")]


class DefinitionFault(OpsctlError):
    """A file of `images/` is not what it should be."""


class _File(Value):
    image: Definition


def folder() -> Path:
    """Return the folder of the definitions: in the wheel, or beside the package."""
    package = Path(__file__).resolve().parents[1]
    inside = package / "_shipped" / "images"
    return inside if inside.is_dir() else package.parent / "images"


@cache
def base() -> Base:
    """Return what every image stands on."""
    path = folder() / "base.yaml"
    try:
        return Base.model_validate(yaml.safe_load(path.read_text("utf-8")))
    except (OSError, yaml.YAMLError, ValidationError) as error:
        raise _fault(path, error) from error


@cache
def definitions() -> tuple[AppImage | ServerImage, ...]:
    """Return every image, servers first, in the order of their names."""
    found = [_read(path) for path in sorted(folder().glob("*.yaml")) if path.stem != "base"]
    return tuple(sorted(found, key=lambda image: (image.kind == "app", image.name)))


def chosen(names: tuple[str, ...]) -> tuple[AppImage | ServerImage, ...]:
    """Return the images that were named, all where none was.

    Raises:
        UsageError: there is no image of a name.
    """
    known = {image.name: image for image in definitions()}
    for name in names:
        if name not in known:
            near = meant(name, known)
            hint = f"did you mean {near}?" if near else f"there are {', '.join(known)}"
            raise UsageError(f"there is no image {name!r}", hint=hint)
    return tuple(known[name] for name in dict.fromkeys(names)) or definitions()


def of_service(service: str) -> AppImage | ServerImage:
    """Return the image in which a service of the catalogue runs."""
    for image in definitions():
        if service in image.services:
            return image
    raise UsageError(f"no image has the service {service!r}", hint="opsctl images list")


def _read(path: Path) -> AppImage | ServerImage:
    try:
        written = yaml.safe_load(path.read_text("utf-8"))
        return _File.model_validate({"image": {"name": path.stem, **written}}).image
    except (OSError, yaml.YAMLError, ValidationError, TypeError) as error:
        raise _fault(path, error) from error


def _fault(path: Path, error: Exception) -> DefinitionFault:
    details = (
        [f"{'.'.join(str(p) for p in e['loc'])}: {e['msg']}" for e in error.errors()]
        if isinstance(error, ValidationError)
        else [str(error)]
    )
    return DefinitionFault(
        f"{path.name} is no definition of an image",
        hint=f"correct {path}; docs/images.md has the format",
        details=details,
    )
