"""The progress of a change on stderr: one line a stage, with or without a terminal."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rich.text import Text

from opsctl.cli.common import progress

if TYPE_CHECKING:
    from opsctl.targets.base import Event, Plan

_STYLES = {
    "ready": "green",
    "stopped": "green",
    "failed": "red",
    "start": "green",
    "restart": "yellow",
    "stop": "red",
}


class Shown:
    """Prints what a pipeline does."""

    def say(self, text: str) -> None:
        """Print a remark."""
        progress.print(Text(text, style="yellow"), soft_wrap=True)

    def planned(self, plan: Plan) -> None:
        """Print what is about to be done."""
        if plan.empty:
            _line("plan", "", "nothing to change")
        for change in plan.changes:
            _line("plan", change.action.value, f"{change.name:<16} {change.reason}")

    def event(self, event: Event) -> None:
        """Print that a service reached a stage."""
        took = "" if event.duration_s is None else f"{event.duration_s:8.2f} s"
        text = f"{event.service:<16} {took:<10} {event.detail}".rstrip()
        _line(event.stage, event.stage, text)

    def stage(self, name: str, duration_s: float) -> None:
        """Print that a stage of the pipeline ended."""
        _line(name, "ready", f"{'':<16} {duration_s:8.2f} s")


def _line(head: str, style: str, text: str) -> None:
    shown = f"{head if head != 'plan' else f'plan {style}':<13}"
    line = Text.assemble((shown, _STYLES.get(style, "")), text)
    progress.print(line, soft_wrap=True, highlight=False)
