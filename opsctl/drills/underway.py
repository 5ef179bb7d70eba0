"""What a drill is breaking right now, written down before it breaks it.

The file stands in the environment's folder from before the first blow until everything is
lifted. A drill that was killed leaves it, and whoever finds it without its drill lifts
what it names.
"""

from __future__ import annotations

import os
from pathlib import Path

from pydantic import ValidationError

from opsctl import custody
from opsctl.model.value import Value
from opsctl.state import environment_folder

FILE = "drill.json"
KINDS = ("engine", "frozen", "down", "full", "slowed", "starved", "stepped", "cut")


class Underway(Value):
    """Faults that may stand; lifting what does not stand changes nothing.

    Whether the engine is lost, who is frozen, who is kept down, which links and uplinks are
    disturbed, whose disk is full or slow, whose memory is short, whose clock is off.
    """

    run: str
    scenario: str
    engine: tuple[str, ...] = ()
    frozen: tuple[str, ...] = ()
    down: tuple[str, ...] = ()
    cut: tuple[str, ...] = ()
    """Links that are cut, delayed, or swallow one way, and uplinks of places."""
    full: tuple[str, ...] = ()
    slowed: tuple[str, ...] = ()
    starved: tuple[str, ...] = ()
    stepped: tuple[str, ...] = ()

    def less(self, still: Underway) -> Underway:
        """Return what stands here and not in another."""
        return self.model_copy(
            update={
                kind: tuple(k for k in getattr(self, kind) if k not in getattr(still, kind))
                for kind in KINDS
            }
        )


def path(environment: str) -> Path:
    """Return where an environment's faults are written down."""
    return environment_folder(environment) / FILE


def note(environment: str, faults: Underway) -> None:
    """Write down what is about to be broken; durable when this returns."""
    target = path(environment)
    temporary = target.with_suffix(".new")
    descriptor = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
    try:
        os.write(descriptor, faults.model_dump_json().encode())
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
    temporary.rename(target)
    folder = os.open(target.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)
    custody.keep(environment)


def read(environment: str) -> Underway | None:
    """Return the faults that a drill has written down; None where there is none."""
    try:
        return Underway.model_validate_json(path(environment).read_bytes())
    except (FileNotFoundError, NotADirectoryError):
        return None
    except ValidationError:
        return None  # torn before the rename: nothing was broken yet


def clear(environment: str) -> None:
    """Forget the faults: all of them are lifted."""
    path(environment).unlink(missing_ok=True)
    custody.keep(environment)
