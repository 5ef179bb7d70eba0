"""How the pipeline tells what it does; the command line shows it, tests record it."""

from __future__ import annotations

from typing import Protocol

from opsctl.targets.base import Event, Plan


class Progress(Protocol):
    """Listens to a change of an environment."""

    def say(self, text: str) -> None:
        """Take a remark: a killed run that is continued, a rollback that begins."""
        ...

    def planned(self, plan: Plan) -> None:
        """Take what is about to be done."""
        ...

    def event(self, event: Event) -> None:
        """Take one service reaching a stage."""
        ...

    def stage(self, name: str, duration_s: float) -> None:
        """Take the end of a stage of the pipeline, such as health or verify."""
        ...
