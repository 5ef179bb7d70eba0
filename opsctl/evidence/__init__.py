"""The evidence log and the folders of runs.

Every command that changes something runs inside `recorded`; the line that it leaves is
chained to the one before by its hash, the head of the chain is signed with the
operator's SSH key where there is one, and `anchor` puts it where nobody can change it.
"""

from __future__ import annotations

from opsctl.evidence.anchoring import Anchor, Store, anchor, anchored
from opsctl.evidence.checking import check
from opsctl.evidence.head import Head
from opsctl.evidence.kept import forks, kept
from opsctl.evidence.line import Entry, Line
from opsctl.evidence.log import Log, log
from opsctl.evidence.recording import Run, note_killed, recorded

__all__ = [
    "Anchor",
    "Entry",
    "Head",
    "Line",
    "Log",
    "Run",
    "Store",
    "anchor",
    "anchored",
    "check",
    "forks",
    "kept",
    "log",
    "note_killed",
    "recorded",
]
