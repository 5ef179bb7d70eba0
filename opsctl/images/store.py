"""The folder of the layers that were made: `SLOT/KEY/`, made whole or not at all.

A layer is found again by the digest of everything that it is made from, so that an
unchanged one costs nothing and a build that was killed goes on where it was.
"""

from __future__ import annotations

import contextlib
import fcntl
import os
import shutil
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from pydantic import ValidationError

from opsctl.errors import OpsctlError
from opsctl.images import layers
from opsctl.images.layers import Component, Layer
from opsctl.state import images_folder

KEPT = 3
"""So many layers of a slot stay; older ones are made again when somebody wants them."""

Say = Callable[[str], None]
Make = Callable[[Path, Path, Say], tuple[Component, ...]]
"""Fills a tree (first folder), with a scratch folder beside it; returns what is in it."""


@dataclass(frozen=True)
class Recipe:
    """How a layer is made, and the digest of everything that it is made from."""

    slot: str
    key: str
    make: Make
    again: bool = False
    """Whether it is made even where it is here: what it is made from changes by itself."""


def tar(layer: Layer) -> Path:
    """Return the file of a layer."""
    return _place(layer.slot, layer.key) / "layer.tar"


def find(recipe: Recipe) -> Layer | None:
    """Return the layer of a recipe where it has been made."""
    place = _place(recipe.slot, recipe.key)
    try:
        layer = Layer.model_validate_json((place / "layer.json").read_bytes())
        if (place / "layer.tar").stat().st_size != layer.bytes:
            return None
        os.utime(place)  # lately used, so it stays
    except (OSError, ValidationError):
        return None
    return layer


def obtain(recipe: Recipe, say: Say) -> Layer:
    """Return the layer of a recipe, made where it is not here.

    Raises `OpsctlError` where it cannot be made or written.
    """
    try:
        found = None if recipe.again else find(recipe)
        if found is not None:
            return found
        with _locked(recipe.slot, say):
            found = None if recipe.again else find(recipe)
            return found or _made(recipe, say)
    except OSError as error:
        raise OpsctlError(
            f"the layer {recipe.slot} cannot be written: {error.strerror or error}",
            hint=f"make room for {images_folder()}, or name another folder in OPSCTL_IMAGES",
        ) from error


def _made(recipe: Recipe, say: Say) -> Layer:
    slot = images_folder() / "layers" / recipe.slot
    with _staging(recipe.slot) as folder:
        tree, scratch = folder / "tree", folder / "scratch"
        tree.mkdir()
        scratch.mkdir()
        components = recipe.make(tree, scratch, say)
        whole = folder / "whole"
        whole.mkdir()
        say("writing the layer")
        diff_id, size = layers.write(tree, whole / "layer.tar")
        layer = Layer(
            slot=recipe.slot, key=recipe.key, diff_id=diff_id, bytes=size, components=components
        )
        (whole / "layer.json").write_text(layer.model_dump_json(indent=1), encoding="utf-8")
        slot.mkdir(parents=True, exist_ok=True)
        place = _place(recipe.slot, recipe.key)
        shutil.rmtree(place, ignore_errors=True)  # a half of one, of a damaged disk
        whole.rename(place)
    old = sorted(slot.iterdir(), key=lambda p: p.stat().st_mtime, reverse=True)[KEPT:]
    for stale in old:
        shutil.rmtree(stale, ignore_errors=True)
    return layer


def _place(slot: str, key: str) -> Path:
    return images_folder() / "layers" / slot / key


@contextlib.contextmanager
def _locked(slot: str, say: Say) -> Iterator[None]:
    """Hold the lock of a slot; the kernel releases it when its holder dies."""
    folder = images_folder() / ".locks"
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / f"{slot}.lock").open("w") as handle:
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("another opsctl is at it: waiting")
            fcntl.flock(handle, fcntl.LOCK_EX)
        for stale in (images_folder() / ".staging").glob(f"{slot}.*"):
            shutil.rmtree(stale, ignore_errors=True)
        yield


@contextlib.contextmanager
def _staging(slot: str) -> Iterator[Path]:
    parent = images_folder() / ".staging"
    parent.mkdir(parents=True, exist_ok=True)
    folder = Path(tempfile.mkdtemp(prefix=f"{slot}.", dir=parent))
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
