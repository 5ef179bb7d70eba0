"""A server that cannot have a profile, or a profile that cannot be meant: every reason at once."""

from __future__ import annotations

from collections.abc import Sequence

from opsctl.model.faults import Fault


class Unfit(Exception):
    """A profile is refused; `faults` are the reasons, each with what would be right.

    The model raises no error of opsctl: whoever asks says which box and file it was.
    """

    def __init__(self, faults: Sequence[Fault]) -> None:
        """Keep the faults apart; the text has them all."""
        super().__init__("; ".join(str(fault) for fault in faults))
        self.faults = tuple(faults)
