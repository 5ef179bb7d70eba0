"""Scenarios: what a drill breaks, what should hold meanwhile, and how it is undone; pure.

A scenario is a YAML file, shipped with the package or in `site/scenarios/` of the project.
Its parameters are values that `--set` may replace; a step names one as `$hold_s`.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from importlib import resources
from pathlib import Path
from typing import Any, Literal

import yaml
from pydantic import Field, ValidationError

from opsctl.errors import UsageError
from opsctl.model.value import Value

OWN = Path("site") / "scenarios"
Parameter = bool | float

Place = Literal["leader", "follower"]
"""A site by what it does when the drill begins."""


class Kill(Value):
    """SIGKILL services of a site; their supervisor starts them again."""

    kind: Literal["kill"]
    site: Place
    services: tuple[str, ...] = Field(min_length=1)


class Freeze(Value):
    """SIGSTOP services of a site, SIGCONT after `hold_s`."""

    kind: Literal["freeze"]
    site: Place
    services: tuple[str, ...] = Field(min_length=1)
    hold_s: float = Field(gt=0, le=3600)


class Lose(Value):
    """SIGKILL every process of a site and keep it down for `hold_s`.

    With `etcd_leader` the journal's leading member is moved there before.
    """

    kind: Literal["lose"]
    site: Place
    hold_s: float = Field(gt=0, le=3600)
    etcd_leader: bool = False


class Part(Value):
    """Cut every link between the sites that trade for `hold_s`; the witness hears both."""

    kind: Literal["part"]
    hold_s: float = Field(gt=0, le=3600)


class HandOver(Value):
    """Hand the order path over to the follower, as `opsctl failover` does."""

    kind: Literal["handover"]


Fault = Kill | Freeze | Lose | Part | HandOver


class Goal(Value):
    """Our own figure; the objective is the tier's."""

    rto_ms: float = Field(gt=0)
    why: str = ""


class Scenario(Value):
    """One drill, as its file says."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    title: str
    hypothesis: str
    """What should hold, in words: it goes into the report."""
    parameters: dict[str, Parameter] = {}
    fault: Fault = Field(discriminator="kind")
    takes_over: bool = True
    """Whether another epoch must lead afterwards."""
    goal: Goal


def names() -> list[str]:
    """Return the names of every scenario at hand."""
    return sorted(_files())


def load(name: str, given: Mapping[str, Parameter] | None = None) -> Scenario:
    """Return a scenario with parameters replaced.

    Raises:
        UsageError: there is none of that name, or its file or a parameter is wrong; every
            fault is named with its place.
    """
    found = _files().get(name)
    if found is None:
        raise UsageError(f"there is no scenario {name}", hint=f"known are: {', '.join(names())}")
    try:
        raw = yaml.safe_load(found.read_text(encoding="utf-8"))
    except (OSError, yaml.YAMLError) as fault:
        raise UsageError(f"{found}: {fault}", hint="docs/drills.md shows the form") from fault
    if not isinstance(raw, dict):
        raise UsageError(f"{found} is no mapping", hint="docs/drills.md shows the form")
    return parse(raw, given or {}, where=str(found))


def parse(raw: Mapping[str, Any], given: Mapping[str, Parameter], *, where: str) -> Scenario:
    """Return the scenario that a file's content says; raises `UsageError`."""
    known = dict(raw.get("parameters") or {})
    if unknown := sorted(given.keys() - known.keys()):
        raise UsageError(
            f"{where} has no parameter {', '.join(unknown)}",
            hint=f"its parameters are: {', '.join(sorted(known)) or 'none'}",
        )
    values = known | dict(given)
    try:
        return Scenario.model_validate({**_filled(dict(raw), values), "parameters": values})
    except KeyError as fault:
        raise UsageError(f"{where}: ${fault.args[0]} is no parameter of it") from fault
    except ValidationError as fault:
        found = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in fault.errors()]
        raise UsageError(
            f"{where} has {len(found)} fault{'s'[: len(found) != 1]}",
            hint="docs/drills.md shows the form",
            details=found,
        ) from fault


def _filled(raw: Any, values: Mapping[str, Parameter]) -> Any:
    """Return the content with `$name` replaced by the parameter's value."""
    if isinstance(raw, str) and raw.startswith("$"):
        return values[raw[1:]]
    if isinstance(raw, dict):
        return {key: _filled(value, values) for key, value in raw.items()}
    return raw


def _files() -> dict[str, Any]:
    """Return the file of every scenario; the project's own come before the shipped ones."""
    shipped = resources.files("opsctl.drills").joinpath("scenarios")
    return dict(_yaml(shipped)) | (dict(_yaml(OWN)) if OWN.is_dir() else {})


def _yaml(folder: Any) -> Iterator[tuple[str, Any]]:
    for file in folder.iterdir():
        if file.name.endswith(".yaml"):
            yield file.name.removesuffix(".yaml"), file
