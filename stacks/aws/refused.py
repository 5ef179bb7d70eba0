"""Why an environment cannot be declared on AWS as its settings say."""

from __future__ import annotations

from collections.abc import Iterable

from opsctl.model.faults import Path, written

Reason = tuple[Path, str]
"""The setting that is wrong, and what would be right."""


class Refused(Exception):
    """What settings ask for cannot be; `reasons` has all of them, each with its setting."""

    def __init__(self, reasons: Iterable[Reason]) -> None:
        """Say every reason, a line each."""
        self.reasons = tuple(reasons)
        super().__init__("\n".join(f"{written(path)}: {problem}" for path, problem in self.reasons))
