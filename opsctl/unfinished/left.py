"""The list: what of an environment was begun by an opsctl that is dead, and what heals it."""

from __future__ import annotations

from typing import Literal

from opsctl import custody
from opsctl.deploy import records
from opsctl.evidence import runs
from opsctl.model.value import Value
from opsctl.state import environment_folder

Kind = Literal["faults", "change", "run"]
"""Faults of a drill stand; a deployment is half-way; a command left no line in the evidence,
and perhaps a request in the journal."""

FAULTS_FILE = "drill.json"
"""Looked for before anything of the drills is imported: most environments have none."""


class Left(Value):
    """One thing that is unfinished."""

    kind: Kind
    run: str
    """The run that was killed."""
    what: str
    """What it was, for a reader."""
    heals: str
    """What brings it to its end."""


def look(name: str) -> tuple[Left, ...]:
    """Return what killed commands left in an environment; asks nobody and changes nothing."""
    found = (*_faults(name), *_change(name))
    named = {one.run for one in found}
    return (*found, *(one for one in _runs(name) if one.run not in named))


def _faults(name: str) -> tuple[Left, ...]:
    if not (environment_folder(name) / FAULTS_FILE).exists():
        return ()
    from opsctl.drills import underway

    left = underway.read(name)
    if left is None or _worked_on(name, left.run):
        return ()
    standing = {
        "lost": ("the engine",) if left.engine else (),
        "frozen": left.frozen,
        "kept down": left.down,
        "disturbed": left.cut,
        "with a full disk": left.full,
        "with a slow disk": left.slowed,
        "short of memory": left.starved,
        "with a clock that is off": left.stepped,
    }
    said = "; ".join(f"{', '.join(keys)} {how}" for how, keys in standing.items() if keys)
    return (
        Left(
            kind="faults",
            run=left.run,
            what=f"drill {left.scenario} did not come to its end; its faults may stand: {said}",
            heals=_any_command(name),
        ),
    )


def _change(name: str) -> tuple[Left, ...]:
    begun = records.in_progress(name)
    if begun is None or _worked_on(name, begun.run):
        return ()
    back = f" continues it, opsctl rollback {name} goes back" if begun.command != "destroy" else ""
    return (
        Left(
            kind="change",
            run=begun.run,
            what=f"the {begun.command} of {begun.at:%Y-%m-%dT%H:%M:%SZ} did not come to its end",
            heals=f"opsctl {begun.command} {name}{back or ' continues it'}",
        ),
    )


def _runs(name: str) -> tuple[Left, ...]:
    return tuple(
        Left(
            kind="run",
            run=started.run,
            what=f"{started.command} of {started.at:%Y-%m-%dT%H:%M:%SZ} by {started.user} "
            "was killed before its end",
            heals=_any_command(name),
        )
        for _, started in runs.killed()
        if started.environment == name
    )


def _worked_on(name: str, run: str) -> bool:
    """Return whether the process of a run still works, here or on the machine that has the lock."""
    return runs.alive(run) or custody.held_by_another(name)


def _any_command(name: str) -> str:
    return f"opsctl verify {name}, and every command that changes {name}"
