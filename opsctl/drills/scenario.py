"""Scenarios: what a drill breaks, what should hold meanwhile, what counts as recovery; pure.

A scenario is a YAML file, shipped with the package or in `site/scenarios/` of the project;
`opsctl.drills.reading` makes a value of it.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from importlib import resources
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Literal, Self

import yaml
from pydantic import Field

from opsctl.drills.composing import Random, composed
from opsctl.drills.kinds import AnyFault, HandOver, Lose
from opsctl.drills.outcome import Recovery, ScenarioChecked, ScenariosChecked
from opsctl.drills.reading import FORMAT, Parameter, Read, read
from opsctl.drills.shape import Load
from opsctl.drills.stop import Stop
from opsctl.errors import UsageError
from opsctl.model.tiers import DrPromise
from opsctl.model.value import Value

OWN = Path("site") / "scenarios"
FORM = "docs/drills.md shows the form, opsctl drill show NAME an example"

Leadership = Literal["moves", "may-move", "stays"]
"""Whether another epoch must lead afterwards, may, or must not."""


class Goal(Value):
    """Our own figure; the objective is the tier's."""

    rto_ms: float = Field(gt=0)
    why: str = ""


class Scenario(Value):
    """One drill, as its file says."""

    name: str = Field(pattern=r"^[a-z][a-z0-9-]{1,40}$")
    title: str = Field(min_length=1)
    hypothesis: str = Field(min_length=1)
    """What should hold, in words: it goes into the report."""
    parameters: dict[str, Parameter] = {}
    faults: tuple[AnyFault, ...] = Field(min_length=1, max_length=50)
    random: Random | None = None
    """What the faults were composed from, where a seed determines them."""
    leadership: Leadership
    recovery: Recovery
    named_only: bool = False
    """Whether it is due only where `trading:drills.scenarios` names it: not every target has it."""
    opens_nothing: bool = False
    """Whether nothing may be accepted by the venue while the faults stand."""
    goal: Goal
    operator_s: float = Field(default=10.0, ge=0, le=3600)
    """Where only an order moves leadership: when the drill gives it, counted from the last blow.

    It stands for the person who is on duty, and for the time that they need.
    """
    load: Load = Load()
    stop: Stop = Stop()

    @property
    def etcd_leader(self) -> bool:
        """Whether the journal's leading member has to be in the lost site."""
        return any(isinstance(f, Lose) and f.etcd_leader for f in self.faults)

    def waits_s(self, recovery: DrPromise) -> float:
        """Return for how long the drill waits in an operator's place; 0 where none is needed."""
        given = self.leadership == "stays" or any(isinstance(f, HandOver) for f in self.faults)
        return 0.0 if recovery.failover == "automatic" or given else self.operator_s

    def nth(self, number: int) -> Self:
        """Return the scenario of a repeat's run, counted from 0: of seed + n where it has one."""
        if self.random is None or not number:
            return self
        random = self.random.model_copy(update={"seed": self.random.seed + number})
        given = {"seed": float(random.seed)} if "seed" in self.parameters else {}
        return self.model_copy(
            update={
                "random": random,
                "faults": composed(random),
                "parameters": self.parameters | given,
            }
        )


class Described(Value):
    """A scenario, and where it is from."""

    source: str
    """`shipped`, or the project's file."""
    scenario: Scenario

    def text(self) -> str:
        """Return it as YAML, its parameters filled in; what has its default is left out.

        Faults that a seed has composed stand in a comment: the seed says them.
        """
        plain = self.scenario.model_dump(mode="json", exclude_defaults=True)
        faults = [
            {"kind": fault.kind, **fault.model_dump(mode="json", exclude_defaults=True)}
            for fault in self.scenario.faults
        ]
        if self.scenario.random is None:
            return _yaml_of({"format": FORMAT, **plain, "faults": faults})
        del plain["faults"]
        made = "".join(f"# {line}\n" for line in _yaml_of({"faults": faults}).splitlines())
        return _yaml_of({"format": FORMAT, **plain}) + made


def _yaml_of(plain: object) -> str:
    text: str = yaml.safe_dump(plain, sort_keys=False, allow_unicode=True, width=76)
    return text


def names() -> list[str]:
    """Return the names of every scenario at hand."""
    return sorted(_files())


def load(name: str, given: Mapping[str, Parameter] | None = None) -> Scenario:
    """Return a scenario with parameters replaced.

    Raises:
        UsageError: there is none of that name, or its file or a parameter is wrong; every
            fault is named with its place.
    """
    file = _file(name)
    return sound(read(Scenario, file.read_text("utf-8"), given or {}, where=_shown(file)))


def described(name: str) -> Described:
    """Return a scenario as it is, for a reader; raises `UsageError` as `load` does."""
    file = _file(name)
    return Described(source="shipped" if _is_shipped(file) else str(file), scenario=load(name))


def checked(names_or_paths: Iterable[str]) -> ScenariosChecked:
    """Return the faults of scenarios, each given by its name or as a file.

    Raises `UsageError` where there is no such scenario, or no such file.
    """
    texts = [_found(each) for each in names_or_paths]
    return ScenariosChecked(
        scenarios=tuple(
            ScenarioChecked(file=where, faults=read(Scenario, text, {}, where=where).faults)
            for where, text in texts
        )
    )


def sound(found: Read[Scenario]) -> Scenario:
    """Return the scenario that was read; raises `UsageError` with every fault it has."""
    if found.value is None:
        count = len(found.faults)
        raise UsageError(
            f"{found.file} has {count} fault{'s'[: count != 1]}",
            hint=FORM,
            details=[str(fault) for fault in found.faults],
        )
    return found.value


def _found(name_or_path: str) -> tuple[str, str]:
    """Return what a scenario's file is called, and its text."""
    if "/" not in name_or_path and not name_or_path.endswith((".yaml", ".yml")):
        file = _file(name_or_path)
        return _shown(file), file.read_text("utf-8")
    try:
        return name_or_path, Path(name_or_path).read_text("utf-8")
    except (OSError, UnicodeDecodeError) as fault:
        raise UsageError(f"{name_or_path} cannot be read: {fault}", hint=FORM) from fault


def _file(name: str) -> Traversable:
    found = _files().get(name)
    if found is None:
        raise UsageError(f"there is no scenario {name}", hint=f"known are: {', '.join(names())}")
    return found


def _shown(file: Traversable) -> str:
    return file.name if _is_shipped(file) else str(file)


def _is_shipped(file: Traversable) -> bool:
    return not str(file).startswith(str(OWN))


def _files() -> dict[str, Traversable]:
    """Return the file of every scenario; the project's own come before the shipped ones."""
    shipped = resources.files("opsctl.drills").joinpath("scenarios")
    return dict(_yaml(shipped)) | (dict(_yaml(OWN)) if OWN.is_dir() else {})


def _yaml(folder: Traversable) -> Iterator[tuple[str, Traversable]]:
    for file in folder.iterdir():
        if file.name.endswith(".yaml"):
            yield file.name.removesuffix(".yaml"), file
