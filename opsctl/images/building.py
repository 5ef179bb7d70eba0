"""Building images: their layers side by side, each made once, then into the engine."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TypeVar

from opsctl import evidence
from opsctl.errors import OpsctlError, UsageError
from opsctl.images import bill, contents, dependencies, distribution, official, store
from opsctl.images.archive import Content, stream
from opsctl.images.configuration import Parent, configuration, digest
from opsctl.images.definition import AppImage, ServerImage, base, chosen
from opsctl.images.engine import Engine, connected, refuse_full_disk
from opsctl.images.layers import Layer
from opsctl.images.results import BuiltImage, ImagesBuilt, ShownLayer
from opsctl.images.source import Commit, Source, source
from opsctl.images.store import Recipe

REPOSITORY = "opsctl"
"""Where our images are in an engine: `opsctl/execution:1a2b3c4d5e6f`."""

A = TypeVar("A")
B = TypeVar("B")
Report = Callable[[str, str], None]
"""Takes the name of an image and one line of its progress; called from several threads."""


@dataclass(frozen=True)
class Planned:
    """An image that is to be made: how each of its layers is, the lowest first."""

    image: AppImage | ServerImage
    recipes: tuple[Recipe, ...]
    commit: Commit
    version: str
    programs: str = ""

    @property
    def reference(self) -> str:
        """Return repository and tag."""
        return f"{REPOSITORY}/{self.image.name}:{self.commit.tag}"


@dataclass(frozen=True)
class Composed:
    """An image whose layers are made."""

    planned: Planned
    layers: tuple[Layer, ...]
    parent: Parent
    config: bytes

    @property
    def id(self) -> str:
        """Return the id that an engine will know it by."""
        return digest(self.config)

    @property
    def diff_ids(self) -> tuple[str, ...]:
        """Return every layer, the lowest first."""
        return (*self.parent.diff_ids, *(layer.diff_id for layer in self.layers))


def build(
    names: Sequence[str],
    report: Report,
    *,
    engine: str | None = None,
    jobs: int | None = None,
    fresh: bool = False,
    official_base: str = "",
) -> ImagesBuilt:
    """Make images (all where none is named) and put them into an engine; leave evidence.

    `jobs` bounds how many layers are made at once; `fresh` makes the distribution's layer
    anew from the newest packages. Nothing is recorded where everything is there already.
    Raises `OpsctlError` before anything is changed for what can be seen beforehand.
    """
    began = time.monotonic()
    wanted = chosen(tuple(names))
    if jobs is not None and jobs < 1:
        raise UsageError(f"--jobs {jobs} makes nothing", hint="--jobs 2")
    dependencies.refuse_other_machine(base())
    found = source()
    with (
        connected(engine) as host,
        ThreadPoolExecutor(jobs or os.cpu_count() or 2, "images") as pool,
    ):
        refuse_full_disk(host)
        parent = official.parent(host, official_base) if official_base else Parent()
        made_of = partial(_planned, found, report, bool(official_base), fresh)
        planned = _all(pool, made_of, wanted)
        done = None if fresh else _standing(planned, parent, found, host)
        if done is None or any(host.find(c.planned.reference) is None for c in done):
            arguments = {"images": [p.image.name for p in planned], "engine": host.address}
            with evidence.recorded(command="images build", arguments=arguments) as run:
                composed = _composed(planned, parent, found, pool, report)
                built = _into(host, composed, report)
                run.result = {"engine": host.address, "images": [_entry(b) for b in built]}
        else:
            built = _into(host, done, report)
        address = host.address
    return ImagesBuilt(
        engine=address,
        images=tuple(built),
        duration_s=round(time.monotonic() - began, 1),
    )


def _planned(
    found: Source, report: Report, on_official: bool, fresh: bool, image: AppImage | ServerImage
) -> Planned:
    say = partial(report, image.name)
    under = () if on_official else (distribution.recipe(fresh=fresh),)
    under = (*under, contents.platform())
    commit = found.commit(contents.made_from(image))
    if isinstance(image, AppImage):
        own = (*dependencies.recipes(image, found), contents.code(image, found, say))
        return Planned(image, (*under, *own), commit, found.version)
    recipe, program = contents.program(image, say)
    if image.packages:
        under = (*under, distribution.beside(image.packages, fresh=fresh))
    return Planned(image, (*under, recipe), commit, program.version, contents.search_path(program))


def _standing(
    planned: Sequence[Planned], parent: Parent, found: Source, host: Engine
) -> list[Composed] | None:
    """Return the images where every layer has been made and the engine holds them all."""
    composed = []
    for plan in planned:
        layers = [store.find(recipe) for recipe in plan.recipes]
        whole = [layer for layer in layers if layer is not None]
        if len(whole) < len(layers):
            return None
        composed.append(_compose(plan, tuple(whole), parent, found))
    held = {image.id for image in host.held()}
    return composed if all(image.id in held for image in composed) else None


def _composed(
    planned: Sequence[Planned],
    parent: Parent,
    found: Source,
    pool: ThreadPoolExecutor,
    report: Report,
) -> list[Composed]:
    """Make every layer that is not here, each once, and return the images of them."""
    recipes: dict[tuple[str, str], tuple[Recipe, str]] = {}
    for plan in planned:
        for recipe in plan.recipes:
            recipes.setdefault((recipe.slot, recipe.key), (recipe, plan.image.name))
    made = dict(
        zip(
            recipes,
            _all(pool, lambda r: store.obtain(r[0], partial(report, r[0].slot)), recipes.values()),
            strict=True,
        )
    )
    return [
        _compose(plan, tuple(made[r.slot, r.key] for r in plan.recipes), parent, found)
        for plan in planned
    ]


def _compose(plan: Planned, layers: tuple[Layer, ...], parent: Parent, found: Source) -> Composed:
    config = configuration(
        plan.image,
        made=layers,
        parent=parent,
        commit=plan.commit,
        version=plan.version,
        source=str(found.project["project"].get("urls", {}).get("Repository", "")),
        programs=plan.programs,
    )
    return Composed(plan, layers, parent, config)


def _into(host: Engine, composed: Sequence[Composed], report: Report) -> list[BuiltImage]:
    """Put images into an engine, sending only layers that it does not hold."""
    built = []
    held = {image.id: image for image in host.held()}
    for image in composed:
        former = host.find(image.planned.reference)
        new = former is None or former.id != image.id
        if new and image.id in held:
            repository, _, tag = image.planned.reference.rpartition(":")
            host.tag(image.id, repository, tag)
        elif new:
            known = _known_chains(host)
            send(host, image, known, report)
            if former is not None:
                host.forget(former.id)
        report(image.planned.image.name, f"{'built' if new else 'unchanged'} {image.id[7:19]}")
        built.append(_built(image, "built" if new else "unchanged"))
    return built


def send(host: Engine, image: Composed, known: set[tuple[str, ...]], report: Report) -> None:
    """Send one image to an engine; layers whose chain it knows stay where they are."""
    below = len(image.parent.diff_ids)
    missing = {
        layer.diff_id: store.tar(layer)
        for place, layer in enumerate(image.layers, below + 1)
        if not host.keeps_layers or image.diff_ids[:place] not in known
    }
    size = sum(file.stat().st_size for file in missing.values())
    report(image.planned.image.name, f"sending {len(missing)} layers, {size / 1e6:.1f} MB")
    content = Content(image.planned.reference, image.config, image.diff_ids)
    host.load(stream([content], missing))
    arrived = host.find(image.planned.reference)
    if arrived is None or arrived.id != image.id:
        raise OpsctlError(
            f"the engine holds {image.planned.reference} as "
            f"{arrived.id if arrived else 'nothing'}, sent was {image.id}",
            hint="opsctl images build again; docker image ls shows what it holds",
        )


def _known_chains(host: Engine) -> set[tuple[str, ...]]:
    return {held.diff_ids[: end + 1] for held in host.held() for end in range(len(held.diff_ids))}


def _built(image: Composed, outcome: str) -> BuiltImage:
    plan = image.planned
    above = [layer for layer in image.layers if layer.slot not in ("base", "platform")]
    return BuiltImage.model_validate(
        {
            "name": plan.image.name,
            "services": plan.image.services,
            "reference": plan.reference,
            "id": image.id,
            "revision": plan.commit.label,
            "base": image.parent.reference or f"Debian {base().suite} packages",
            "bytes": sum(layer.bytes for layer in image.layers),
            "above_base_bytes": sum(layer.bytes for layer in above),
            "layers": [
                ShownLayer(slot=layer.slot, diff_id=layer.diff_id, bytes=layer.bytes)
                for layer in image.layers
            ],
            "sbom": bill.write(plan.image, image.id, image.layers, plan.version, plan.commit),
            "outcome": outcome,
        }
    )


def _entry(built: BuiltImage) -> dict[str, object]:
    """Return what the evidence says of a built image."""
    return {
        "name": built.name,
        "reference": built.reference,
        "id": built.id,
        "revision": built.revision,
        "layers": [layer.diff_id for layer in built.layers],
        "outcome": built.outcome,
    }


def _all(pool: ThreadPoolExecutor, call: Callable[[A], B], given: Iterable[A]) -> list[B]:
    """Return what a call gives for each; the first error ends the others that wait."""
    tasks = [pool.submit(call, one) for one in given]
    try:
        return [task.result() for task in tasks]
    except BaseException:
        for task in tasks:
            task.cancel()
        raise
