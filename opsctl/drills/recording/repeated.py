"""Which recorded runs make a series, noted beside the report of the last of them."""

from __future__ import annotations

from pathlib import Path

from pydantic import Field, ValidationError

from opsctl.drills.outcome import Drilled, Series, summary, verdict_of
from opsctl.drills.recording import files, reading
from opsctl.errors import OpsctlError, UsageError
from opsctl.evidence.runs import RUN_ID
from opsctl.model.value import Value

SERIES = "series.json"
VERSION = 1


class Member(Value):
    """One run of a series, and the SHA-256 of its manifest."""

    run: str = Field(pattern=RUN_ID.pattern)
    evidence: str


class Members(Value):
    """The runs of a series, in their order."""

    v: int = VERSION
    runs: tuple[Member, ...] = Field(min_length=1)


def note(found: Series, folder: Path) -> None:
    """Write down which runs make a series."""
    runs = tuple(Member(run=run.id, evidence=run.evidence) for run in found.runs)
    text = Members(runs=runs).model_dump_json(indent=2)
    (folder / SERIES).write_text(f"{text}\n", encoding="utf-8")


def series(folder: Path) -> tuple[Series, tuple[str, ...]]:
    """Return the series that ended with a recorded run, and what is not as it was sealed.

    Its other runs lie beside the folder. Raises `UsageError` where no series ended with that
    run, `OpsctlError` where one of its runs is missing or cannot be read.
    """
    found = [_run(folder.parent / each.run, each) for each in _members(folder).runs]
    runs = tuple(run for run, _ in found)
    whole = Series(
        scenario=runs[-1].scenario,
        environment=runs[-1].environment,
        verdict=verdict_of(runs),
        runs=runs,
        summary=summary(runs),
    )
    return whole, tuple(what for _, changed in found for what in changed)


def _members(folder: Path) -> Members:
    try:
        return Members.model_validate_json((folder / SERIES).read_bytes())
    except FileNotFoundError as fault:
        raise UsageError(
            f"{folder} holds no series: it is kept with the last run of `drill run --repeat`",
            hint="`opsctl evidence list --command drill` lists the runs",
        ) from fault
    except ValidationError as fault:
        raise OpsctlError(
            f"{folder / SERIES} cannot be read: {fault.errors()[0]['msg']}",
            hint="a newer opsctl may have written it: read it with that one",
        ) from fault


def _run(folder: Path, member: Member) -> tuple[Drilled, list[str]]:
    if not (folder / files.MANIFEST).is_file():
        raise OpsctlError(
            f"run {member.run} of the series is missing",
            hint=f"put its folder beside the others, as {folder}",
        )
    evidence = files.evidence_of(folder)
    changed = [f"{member.run}: {what}" for what in files.changed(folder, files.manifest(folder))]
    if evidence != member.evidence:
        changed.insert(0, f"{member.run}: {files.MANIFEST} is not that of the series")
    return reading.facts(folder).model_copy(update={"evidence": evidence}), changed
