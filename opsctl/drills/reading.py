"""From a scenario's file to its value, or to every fault of the file with its line; pure.

`format` is the version a file was written in (1 where it says nothing); a file of an older one
is read as what it would be today, and stays as it is. A step names a parameter as `$hold_s`.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from decimal import Decimal
from typing import Any, Generic, TypeVar

from pydantic import BaseModel, ValidationError

from opsctl.drills.composing import Random, composed
from opsctl.drills.kinds import KINDS
from opsctl.model import documents
from opsctl.model.explain import explain, meant
from opsctl.model.faults import Fault, Path

FORMAT = 2
"""The version that `docs/drills.md` describes."""
Parameter = bool | float
Settings = dict[str, Any]
Of = TypeVar("Of", bound=BaseModel)

_STAND_IN: Settings = {"kind": "handover"}
"""A sound fault in the place of faulty ones, so that everything else is looked at, too."""


@dataclass(frozen=True)
class Read(Generic[Of]):
    """A file's value, or its faults where it has any."""

    file: str
    value: Of | None
    faults: tuple[Fault, ...] = ()


class _Faults:
    """Collects what is wrong, each with the line of its place in the file."""

    def __init__(self, text: documents.Text, file: str, *, format_: int) -> None:
        self.found = list(text.faults)
        self._text, self._file, self._format = text, file, format_

    def add(self, path: Path, problem: str) -> None:
        there = _in_format_1(path) if self._format == 1 else path
        if there == ("takes_over",):
            problem = "must be true or false"
        line = self._text.line(there) or (1 if path else None)
        shown = ".".join(there)
        self.found.append(Fault(path=shown, problem=problem, file=self._file, line=line))

    def explain(self, error: ValidationError, model: type[BaseModel], at: Path = ()) -> None:
        for path, problem in explain(error, model):
            self.add((*at, *path), problem)


def read(model: type[Of], text: str, given: Mapping[str, Parameter], *, where: str) -> Read[Of]:
    """Return the scenario that a file's text holds, with parameters replaced, or its faults."""
    document = documents.read(where, text)
    root = document.root
    if not document.readable or not isinstance(root, dict):
        wrong = _Faults(document, where, format_=FORMAT)
        if document.readable:
            wrong.add((), "is no mapping of settings")
        return Read(where, None, tuple(wrong.found))
    version = root.get("format", 1)
    known = isinstance(version, int) and not isinstance(version, bool) and 1 <= version <= FORMAT
    wrong = _Faults(document, where, format_=version if known else FORMAT)
    if not known:
        newer = isinstance(version, int) and version > FORMAT
        problem = f"must be a whole number from 1 to {FORMAT}"
        wrong.add(("format",), f"{version} needs a newer opsctl" if newer else problem)
        return Read(where, None, tuple(wrong.found))
    settings = _plain({key: value for key, value in root.items() if key != "format"})
    if version == 1:
        settings = migrated(settings)
    value = _whole(model, settings, given, wrong)
    faults = sorted(wrong.found, key=lambda fault: fault.line or 0)
    return Read(where, None if faults else value, tuple(faults))


def migrated(old: Mapping[str, Any]) -> Settings:
    """Return the settings of format 1 as they are written in format 2.

    It had one fault, said only whether leadership must move, and called a cut between the
    sites `part`.
    """
    new = {key: value for key, value in old.items() if key not in ("fault", "takes_over")}
    if "fault" in old:
        fault = old["fault"]
        if isinstance(fault, dict) and fault.get("kind") == "part":
            fault = {**fault, "kind": "cut", "between": ["leader", "follower"]}
        new["faults"] = [fault]
    moves = old.get("takes_over", True)
    words = {True: "moves", False: "may-move"}
    new["leadership"] = words[moves] if isinstance(moves, bool) else moves
    return new


def _in_format_1(path: Path) -> Path:
    if path[:2] == ("faults", "0"):
        return ("fault", *path[2:])
    words = {"faults": ("fault",), "leadership": ("takes_over",)}
    return words.get(path[0], path) if len(path) == 1 else path


def _whole(
    model: type[Of], settings: Settings, given: Mapping[str, Parameter], wrong: _Faults
) -> Of | None:
    declared = settings.get("parameters") or {}
    declared = declared if isinstance(declared, dict) else {}
    for name in sorted(given.keys() - declared.keys()):
        near = f": its parameters are {', '.join(sorted(declared)) or 'none'}"
        wrong.add(("parameters",), f"has no parameter {name}{near}")
    values = declared | {name: given[name] for name in given.keys() & declared.keys()}
    filled = {
        key: value if key == "parameters" else _filled(value, values, (key,), wrong)
        for key, value in settings.items()
    }
    filled["parameters"] = values if isinstance(settings.get("parameters"), dict) else {}
    if "random" in filled:
        _compose(filled, wrong)
    elif "faults" not in filled:
        wrong.add(("faults",), "is required: a list of faults")
        filled["faults"] = [_STAND_IN]
    else:
        filled["faults"] = _faults(filled["faults"], wrong)
    moves = filled.get("leadership") == "moves"
    filled.setdefault("recovery", "takeover" if moves else "longest-gap")
    try:
        return model.model_validate(filled)
    except ValidationError as error:
        wrong.explain(error, model)
        return None


def _compose(settings: Settings, wrong: _Faults) -> None:
    """Put the faults of a seed where a file has none of its own."""
    if "faults" in settings:
        wrong.add(("random",), "composes the faults: leave `faults` or `random` out")
    settings["faults"] = [_STAND_IN]
    try:
        settings["faults"] = composed(Random.model_validate(settings["random"]))
    except ValidationError as error:
        wrong.explain(error, Random, ("random",))
        settings["random"] = None


def _faults(raw: Any, wrong: _Faults) -> list[Any]:
    """Return the sound ones of a list of faults, in their order; the others are named."""
    if not isinstance(raw, list) or not raw:
        wrong.add(("faults",), "must be a list of faults, at least one")
        return [_STAND_IN]
    sound: list[Any] = []
    before = 0.0
    for number, each in enumerate(raw):
        at = ("faults", str(number))
        if not isinstance(each, dict):
            wrong.add(at, "must be a mapping of settings")
            continue
        kind = KINDS.get(str(each.get("kind")))
        if kind is None:
            near = meant(str(each.get("kind")), KINDS)
            said = f": did you mean {near}?" if near and "kind" in each else ""
            wrong.add((*at, "kind"), f"must be one of {', '.join(KINDS)}{said}")
            continue
        try:
            found = kind.model_validate(each)
        except ValidationError as error:
            wrong.explain(error, kind, at)
            continue
        if found.after_s < before:
            wrong.add((*at, "after_s"), "is before the fault above it: they strike in order")
        elif not sound and number == 0 and found.after_s:
            wrong.add((*at, "after_s"), "must be 0: it is counted from the first fault")
        before = max(before, found.after_s)
        sound.append(found)
    return sound or [_STAND_IN]


def _filled(raw: Any, values: Mapping[str, Any], path: Path, wrong: _Faults) -> Any:
    """Return the content with `$name` replaced by the parameter's value."""
    if isinstance(raw, str) and raw.startswith("$"):
        if raw[1:] in values:
            return values[raw[1:]]
        wrong.add(path, f"{raw} is no parameter of it")
        return 1.0
    if isinstance(raw, dict):
        return {key: _filled(value, values, (*path, key), wrong) for key, value in raw.items()}
    if isinstance(raw, list):
        return [_filled(value, values, (*path, str(at)), wrong) for at, value in enumerate(raw)]
    return raw


def _plain(raw: Any) -> Any:
    """Return what was read with its decimal numbers as floats."""
    if isinstance(raw, Decimal):
        return float(raw)
    if isinstance(raw, dict):
        return {key: _plain(value) for key, value in raw.items()}
    return [_plain(value) for value in raw] if isinstance(raw, list) else raw
