"""What the work on boxes tells while it goes on; the command line shows it."""

from __future__ import annotations

from typing import Protocol


class Progress(Protocol):
    """Hears how far each box is."""

    def say(self, text: str) -> None:
        """Hear a remark that is of no one box."""

    def stage(self, host: str, stage: str, detail: str = "") -> None:
        """Hear that a box has come to a stage: `keys`, `read`, `plan`, `apply`, `failed`, …."""

    def task(self, host: str, task: str) -> None:
        """Hear what is done on a box at the moment."""
