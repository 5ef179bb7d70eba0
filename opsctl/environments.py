"""The environments of a project: finding, reading and naming them.

The project is the nearest folder, from the current one upwards, whose Pulumi.yaml is of
project `trading`; without one, the environments that opsctl ships serve.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path

from opsctl.errors import UsageError
from opsctl.model.documents import Document, parse
from opsctl.model.environment import Environment
from opsctl.model.explain import meant
from opsctl.model.faults import NAMESPACE, Fault
from opsctl.model.files import Assembled, assemble, extends
from opsctl.model.layers import Origin
from opsctl.model.tiers import LatencyTier

PROJECT_FILE = "Pulumi.yaml"
_PACKAGE = Path(__file__).resolve().parent
_NAMED = re.compile(r"Pulumi\.(.+)\.yaml")
_PROJECT_NAME = re.compile(rf"^name:\s*['\"]?{NAMESPACE}['\"]?\s*(#.*)?$", re.MULTILINE)


@dataclass(frozen=True)
class Loaded:
    """An environment as it was loaded, and where each of its values came from."""

    environment: Environment
    origins: Mapping[str, Origin]
    """By path in the names of the model: `limits.max_order_shares`."""
    file: Path


@dataclass(frozen=True)
class Project:
    """A folder of environment files."""

    folder: Path
    shipped: bool = False

    @cached_property
    def names(self) -> tuple[str, ...]:
        """The names of its environments, sorted."""
        found = (_NAMED.fullmatch(path.name) for path in self.folder.glob("Pulumi.*.yaml"))
        return tuple(sorted(match[1] for match in found if match))

    def file(self, name: str) -> Path:
        """Return the file of an environment; it need not exist."""
        return self.folder / f"Pulumi.{name}.yaml"

    def assemble(self, name: str, flags: Mapping[str, str] | None = None) -> Assembled:
        """Return what an environment's files and these flags come to; faults are in the result."""
        return assemble(name, self.chain(name), flags)

    def chain(self, name: str) -> tuple[Document, ...]:
        """Return the document of an environment, then those it extends, the nearest first."""
        documents = [self._read(name)]
        while (base := extends(documents[-1])) is not None:
            document = documents[-1]
            seen = [d.name for d in documents]
            problem = ""
            if not isinstance(base, str) or base not in self.names:
                near = meant(str(base), self.names)
                problem = f"no environment is named {base}" + (
                    f": did you mean {near}?" if near else f": there are {', '.join(self.names)}"
                )
            elif base in seen:
                problem = f"goes round in a circle: {' -> '.join([*seen, base])}"
            if problem:
                path = f"{NAMESPACE}:extends"
                fault = Fault(
                    path=path, problem=problem, file=document.file, line=document.line((path,))
                )
                documents[-1] = document.model_copy(update={"faults": (*document.faults, fault)})
                break
            documents.append(self._read(str(base)))
        return tuple(documents)

    def _read(self, name: str) -> Document:
        path = self.file(name)
        try:
            return parse(name, path.read_text(encoding="utf-8"))
        except UnicodeDecodeError:
            problem = "is no text in UTF-8"
        except OSError as error:
            problem = f"cannot be read: {error.strerror}"
        return Document(
            name=name, config={}, faults=(Fault(path="", problem=problem, file=path.name),)
        )


def project(start: Path | None = None) -> Project:
    """Return the project around a folder (the current one), else the one that opsctl ships."""
    here = (start or Path.cwd()).absolute()
    for folder in (here, *here.parents):
        if _is_project(folder / PROJECT_FILE):
            return Project(folder)
    return shipped()


def shipped() -> Project:
    """Return the environments that opsctl ships: in the wheel, or beside the package."""
    inside = _PACKAGE / "_shipped"
    return Project(inside if inside.is_dir() else _PACKAGE.parent, shipped=True)


def _is_project(path: Path) -> bool:
    try:
        return _PROJECT_NAME.search(path.read_text(encoding="utf-8", errors="replace")) is not None
    except OSError:
        return False


def find(name: str | None, tier: LatencyTier | None) -> str:
    """Return the environment that was meant, by its name or by its latency tier.

    By tier: the environment of that name, else the only one of that tier. Raises
    `UsageError` where none or several fit, or where name and tier disagree.
    """
    here = project()
    if name is None and tier is None:
        raise UsageError(
            "no environment was named",
            hint=f"name one of {_list(here.names)}, or its --tier",
        )
    if name is None and tier is not None:
        return _of_tier(here, tier)
    assert name is not None  # noqa: S101 - one of the two was given, and the tier was not alone
    known(here, name)
    found = here.assemble(name).tier if tier is not None else tier
    if found is not None and found is not tier:
        raise UsageError(
            f"environment {name} has tier {found}, not {tier}",
            hint=f"leave --tier out, or change trading:tier in {here.file(name)}",
        )
    return name


def _of_tier(here: Project, tier: LatencyTier) -> str:
    tiers = {name: here.assemble(name).tier for name in here.names}
    fitting = [name for name, found in tiers.items() if found is tier]
    if tier.value in tiers:
        if tiers[tier.value] not in (tier, None):
            raise UsageError(
                f"environment {tier} has tier {tiers[tier.value]}",
                hint=f"name the environment that you mean: {_list(fitting or here.names)}",
            )
        return tier.value
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise UsageError(
            f"several environments have tier {tier}: {_list(fitting)}",
            hint="name the one that you mean",
        )
    raise UsageError(
        f"no environment has tier {tier}",
        hint=f"make one: opsctl env new {tier} --tier {tier}",
        details=[f"{name}: {found or 'no tier'}" for name, found in tiers.items()],
    )


def load(name: str, flags: Mapping[str, str] | None = None) -> Loaded:
    """Return an environment; raise `UsageError` with every fault at once.

    `flags` override the file: values by field, dotted where nested
    (`{"allow_unmet": "true", "replay.day_s": "0"}`).
    """
    here = project()
    known(here, name)
    assembled = here.assemble(name, flags)
    if assembled.environment is None:
        count = len(assembled.faults)
        by_flags = all(fault.file == "flag" for fault in assembled.faults)
        correct = "the flags" if by_flags else f"{here.file(name)}, then: opsctl env check {name}"
        raise UsageError(
            f"environment {name} has {count} fault{'s' if count > 1 else ''}",
            details=[str(fault) for fault in assembled.faults],
            hint=f"correct {correct}",
        )
    return Loaded(assembled.environment, assembled.origins, here.file(name))


def known(here: Project, name: str) -> None:
    """Return where a project has an environment of this name, else raise `UsageError`."""
    if name in here.names:
        return
    near = meant(name, here.names)
    raise UsageError(
        f"there is no environment {name!r} in {here.folder}",
        hint=f"did you mean {near}?" if near else f"there are {_list(here.names)}",
    )


def _list(names: tuple[str, ...] | list[str]) -> str:
    return ", ".join(names) if names else "none"
