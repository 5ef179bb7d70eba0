"""What `opsctl env` does with environment files: list, show, check and make them."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from opsctl.environments import PROJECT_FILE, Loaded, Project, known, project
from opsctl.errors import OpsctlError, UsageError
from opsctl.model.documents import parse
from opsctl.model.environment import Environment, TargetName
from opsctl.model.faults import Path as ValuePath
from opsctl.model.faults import written
from opsctl.model.feasibility import rehearsal, unmet
from opsctl.model.files import assemble
from opsctl.model.layers import leaves
from opsctl.model.results import (
    CheckedEnvironment,
    EnvironmentCheck,
    EnvironmentList,
    EnvironmentNew,
    EnvironmentRow,
    EnvironmentShown,
    ShownValue,
)
from opsctl.model.template import new_file
from opsctl.model.tiers import DrTier, LatencyTier


def overview() -> EnvironmentList:
    """Return every environment of the project, faulty ones too."""
    from opsctl.targets import found_here

    here = project()
    rows: list[EnvironmentRow] = []
    for name in here.names:
        found = here.assemble(name)
        rows.append(
            EnvironmentRow(
                environment=name,
                tier=found.tier,
                dr=found.dr,
                target=found.target,
                live=found.live,
                file=here.file(name).name,
                faults=len(found.faults),
            )
        )
    return EnvironmentList(
        folder=str(here.folder),
        shipped=here.shipped,
        environments=tuple(rows),
        found=found_here(),
    )


def describe(loaded: Loaded) -> EnvironmentShown:
    """Return every value of an environment and where it came from."""
    values: list[ShownValue] = []
    for path, value in leaves(loaded.environment.model_dump(mode="json")):
        if path == ("name",):
            continue
        origin = loaded.origins[".".join(path)]
        values.append(
            ShownValue(
                key=written(path),
                value=value,
                origin=origin.kind,
                file=origin.file,
                line=origin.line,
                meaning=_meaning(path),
            )
        )
    return EnvironmentShown(
        environment=loaded.environment.name,
        file=str(loaded.file),
        values=tuple(values),
        unmet=unmet(loaded.environment),
        rehearsal=rehearsal(loaded.environment),
    )


def _meaning(path: ValuePath) -> str:
    """Return what a setting means; nothing for a parameter, which its strategy explains."""
    fields: Mapping[str, object] = Environment.model_fields
    field = Environment.model_fields[path[0]]
    for key in path[1:]:
        fields = getattr(field.annotation, "model_fields", {})
        if key not in fields:
            return ""
        field = fields[key]
    return field.description or ""


def inspect(name: str | None) -> EnvironmentCheck:
    """Return the faults of one environment, or of all."""
    here = project()
    if name is not None:
        known(here, name)
    checked: list[CheckedEnvironment] = []
    for each in (name,) if name is not None else here.names:
        assembled = here.assemble(each)
        faults, sound = assembled.faults, assembled.environment
        checked.append(
            CheckedEnvironment(
                environment=each,
                file=str(here.file(each)),
                verdict="failed" if faults else "passed",
                faults=faults,
                rehearsal=rehearsal(sound) if sound else "",
            )
        )
    failed = any(environment.faults for environment in checked)
    return EnvironmentCheck(verdict="failed" if failed else "passed", environments=tuple(checked))


def create(
    name: str,
    *,
    extends: str | None,
    tier: LatencyTier | None,
    dr: DrTier | None = None,
    target: TargetName | None = None,
    allow_unmet: bool = False,
) -> EnvironmentNew:
    """Write a new environment file and return what was written.

    Outside a project the current folder becomes one: it gets a Pulumi.yaml, and copies of
    the shipped environments that the new one extends. Nothing is ever overwritten.

    Raises:
        UsageError: the environment is there already, or would be faulty.
    """
    here = project()
    if extends is not None:
        known(here, extends)
    text = new_file(name, extends=extends, tier=tier, dr=dr, target=target, allow_unmet=allow_unmet)
    bases = here.chain(extends) if extends is not None else ()
    faults = assemble(name, (parse(name, text), *bases)).faults
    if faults:
        raise UsageError(
            f"environment {name} would be faulty",
            details=[str(fault) for fault in faults],
            hint="choose another --tier, --dr or --target; "
            "--allow-unmet where you know that the tier cannot be met",
        )
    folder = Path.cwd() if here.shipped else here.folder
    files = {folder / f"Pulumi.{name}.yaml": text}
    if here.shipped:
        files |= _project_files(here, folder, [base.name for base in bases])
    for path, content in files.items():
        _write_new(path, content)
    return EnvironmentNew(environment=name, files=tuple(str(path) for path in files))


def _project_files(shipped: Project, folder: Path, bases: list[str]) -> dict[Path, str]:
    """Return the files that make a folder a project, but for those it has already."""
    wanted = [shipped.folder / PROJECT_FILE, *map(shipped.file, bases)]
    return {
        folder / source.name: source.read_text(encoding="utf-8")
        for source in wanted
        if not (folder / source.name).exists()
    }


def _write_new(path: Path, content: str) -> None:
    try:
        with path.open("x", encoding="utf-8") as file:
            file.write(content)
    except FileExistsError:
        raise UsageError(
            f"{path} is there already", hint="edit it, or choose another name"
        ) from None
    except OSError as error:
        raise OpsctlError(
            f"{path} cannot be written: {error.strerror}",
            hint="run this where you may write, or change the folder's rights",
        ) from error
