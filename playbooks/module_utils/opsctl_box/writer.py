"""What every means of a setting offers: read, compare, write, put back, and survive a boot."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from ansible.module_utils.opsctl_box.system import Refused, System

Problems = dict
"""By where the setting lives: why it could not be written."""


class Writer:
    """One means. A state is what is read of a setting: a JSON value, None where there is none."""

    means = ""
    file_mode = 0o644
    """Of what `files` returns."""

    def __init__(self, system: System) -> None:
        """Write to this server."""
        self.system = system

    def read(self, ats: list[str]) -> dict[str, Any]:
        """Return the state of each."""
        raise NotImplementedError

    def holds(self, at: str, state: Any, want: str) -> bool:
        """Return whether a state is what is wanted."""
        return state == want

    def write(self, wants: dict[str, str]) -> Problems:
        """Make each hold now; return those that do not, with the reason."""
        return each(wants, self.write_one)

    def write_one(self, at: str, want: str) -> None:
        """Make one hold now. Raises `Refused`."""
        raise NotImplementedError

    def restore(self, formers: dict[str, Any]) -> Problems:
        """Put each back to a state that was read before."""
        return each(formers, self.restore_one)

    def restore_one(self, at: str, former: Any) -> None:
        """Put one back. Raises `Refused`."""
        if former is not None:
            self.write_one(at, former)

    def before_writing(self, ats: list[str]) -> dict[str, Any]:
        """Return what is to be kept of each before it is first written; its state, mostly."""
        return self.read(ats)

    def as_before(self, at: str, state: Any, former: Any) -> bool:
        """Return whether a state is the one that was kept; what is gone cannot be put back."""
        return former is None or state is None or bool(state == former)

    def shown(self, state: Any) -> str:
        """Return a state as a line for a person."""
        return "(none)" if state is None else str(state)

    def files(self, topic: str, wants: dict[str, str]) -> dict[str, str]:
        """Return the files, with their content, that make a topic's settings hold after a boot."""
        return {}

    def own_files(self, topic: str) -> list[str]:
        """Return the files that are there from `files` of an earlier run."""
        return []


def each(values: dict[str, Any], do: Callable[[str, Any], None]) -> Problems:
    """Do something for every setting; one that is refused spoils none of the others."""
    problems = {}
    for at, value in values.items():
        try:
            do(at, value)
        except Refused as refusal:
            problems[at] = str(refusal)
    return problems
