"""Environment files: from documents, flags and tier defaults to an environment.

Pure: takes what was read, returns the environment with the origin of every value, or
every fault at once.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypeVar

from pydantic import ConfigDict, ValidationError

from opsctl.model.documents import Document
from opsctl.model.environment import Environment, TargetName
from opsctl.model.explain import explain
from opsctl.model.faults import NAMESPACE, Fault, Path, key_of, written
from opsctl.model.feasibility import not_yet, unmet_reasons
from opsctl.model.layers import (
    DEFAULT,
    TIER_DEFAULT,
    Leaf,
    Origin,
    Tree,
    leaves,
    origin_at,
    overlay,
    plain,
)
from opsctl.model.sources import EXTENDS, FORMAT_KEY, of_document, of_flag
from opsctl.model.tiers import LATENCY, DrTier, LatencyTier
from opsctl.model.value import Value


class Assembled(Value):
    """What the documents and flags of one environment come to.

    `environment` is None where there are faults. `tier`, `dr`, `target` and `live` are what
    they name, also where other values are faulty. `origins` has every leaf of the
    environment, by its path in the names of the model (`limits.max_order_shares`).
    """

    model_config = ConfigDict(frozen=True, extra="forbid")

    name: str
    environment: Environment | None
    origins: dict[str, Origin]
    faults: tuple[Fault, ...]
    tier: LatencyTier | None
    dr: DrTier | None
    target: TargetName | None
    live: bool


def assemble(
    name: str, documents: Sequence[Document], flags: Mapping[str, str] | None = None
) -> Assembled:
    """Return what an environment's documents come to.

    `documents` are its own file and then those it extends, the nearest first. `flags` are
    values by field, dotted where nested: `{"replay.day_s": "0"}`.
    """
    faults: list[Fault] = []
    tree: Tree = {}
    for document in reversed(documents):
        faults.extend(document.faults)
        tree = _on_top(tree, of_document(document, faults))
    for flag, value in (flags or {}).items():
        tree = _on_top(tree, of_flag(flag, value, faults))
    values = plain(tree)
    tier = _member(LatencyTier, values.get("tier"))
    if tier is not None and "dr" not in tree:
        tree["dr"] = Leaf(value=LATENCY[tier].default_dr, origin=TIER_DEFAULT)
        values["dr"] = LATENCY[tier].default_dr

    environment = None
    # What could not be read at all would only be reported again, as missing.
    if all(fault.path not in ("", f"{NAMESPACE}:{FORMAT_KEY}") for fault in faults):
        environment, wrong = _validated(name, values, tree, documents)
        faults.extend(wrong)
    order = {document.file: at for at, document in enumerate(documents)}
    faults.sort(key=lambda f: (order.get(f.file, -1), f.line or 0))
    sound = environment if not faults else None
    return Assembled(
        name=name,
        environment=sound,
        origins=_origins(sound, tree, documents) if sound else {},
        faults=tuple(faults),
        tier=tier,
        dr=_member(DrTier, values.get("dr")),
        target=_member(TargetName, values.get("target", TargetName.LOCAL)),
        live=str(values.get("live")).lower() == "true",
    )


def extends(document: Document) -> object:
    """Return what `trading:extends` of a document says; None without it."""
    return document.config.get(f"{NAMESPACE}:{EXTENDS}")


Member = TypeVar("Member", bound=StrEnum)


def _member(kind: type[Member], value: object) -> Member | None:
    return next((member for member in kind if member == value), None)


def _validated(
    name: str, values: Mapping[str, Any], tree: Tree, documents: Sequence[Document]
) -> tuple[Environment | None, list[Fault]]:
    """Return the environment of these values, or every fault of theirs."""
    faults: list[Fault] = []

    def refuse(path: Path, problem: str) -> None:
        origin = origin_at(tree, path) or DEFAULT
        file = {"file": origin.file, "default": ""}.get(origin.kind, origin.kind)
        line = next((d.line(_in_file(path)) for d in documents if d.file == file), None)
        faults.append(Fault(path=written(path), problem=problem, file=file, line=line))

    try:
        environment = Environment.model_validate({"name": name, **values})
    except ValidationError as error:
        for path, why in explain(error, Environment):
            if path == ("name",):
                faults.append(Fault(path="", problem=f"its name {why}", file=f"Pulumi.{name}.yaml"))
            # Without a tier there is no default of dr: that it misses too is no second fault.
            elif path != ("dr",) or "dr" in tree:
                refuse(path, why)
        return None, faults
    reasons = list(not_yet(environment))
    if not environment.allow_unmet:
        refused = {path for path, _ in reasons}
        reasons += [(path, why) for path, why in unmet_reasons(environment) if path not in refused]
    for path, why in reasons:
        refuse(path, why)
    return environment, faults


def _in_file(path: Path) -> Path:
    return (f"{NAMESPACE}:{key_of(path[0])}", *path[1:]) if path else ()


def _on_top(below: Tree, above: Tree) -> Tree:
    """Lay one layer over another; another strategy takes no parameters of the former's."""
    lower, upper = below.get("strategy"), above.get("strategy")
    if isinstance(lower, dict) and isinstance(upper, dict) and "name" in upper:
        before, now = lower.get("name"), upper["name"]
        same = isinstance(before, Leaf) and isinstance(now, Leaf) and before.value == now.value
        if not same:
            kept: Tree = {key: item for key, item in lower.items() if key != "parameters"}
            below = {**below, "strategy": kept}
    return overlay(below, above)


def _origins(
    environment: Environment, tree: Tree, documents: Sequence[Document]
) -> dict[str, Origin]:
    origins: dict[str, Origin] = {}
    for path, _ in leaves(environment.model_dump()):
        origins[".".join(path)] = origin_at(tree, path) or DEFAULT
    if documents:
        origins["name"] = Origin(kind="file", file=documents[0].file)
    return origins
