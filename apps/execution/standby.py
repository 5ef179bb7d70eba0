"""What reaches a site that does not lead, kept until the journal says it or the site leads.

Pure: both sites hear the same market, compute the same decisions and get every report of
the firm by drop copy. What the leader has journaled is dropped here; the rest is what a
takeover begins with, so that nothing depends on the former leader's last words.
"""

from __future__ import annotations

from collections import deque

import msgspec

from apps.core.records import ReportSeen
from apps.execution import risk
from apps.execution.events import Decided, Event, Reported, SessionChanged
from apps.execution.said import digest, says_nothing
from apps.execution.state import State


class Divergence(msgspec.Struct, frozen=True):
    """The journal has other content under the id of a decision that reached this site."""

    decision: str
    journaled: str
    here: str


class Standby:
    """Decisions and reports that are not journaled, as far as this site knows."""

    def __init__(self, intents: str, inbound: dict[str, int]) -> None:
        """Start after these: a bus id of decisions, and inbound numbers of FIX sessions."""
        self.decisions: deque[Decided] = deque()
        self.reports: deque[ReportSeen] = deque()
        self.up: set[str] = set()
        self.divergences = 0
        self._intents = intents
        self._newest = intents
        self._received = dict(inbound)

    def take(self, event: Event) -> None:
        """Keep what happened; what only a leader can use is dropped."""
        match event:
            case Decided():
                self.decisions.append(event)
                self._newest = event.source
            case Reported(report):
                self.reports.append(report)
                last = self._received.get(report.session, 0)
                self._received[report.session] = max(last, report.seq)
            case SessionChanged(session, up):
                (self.up.add if up else self.up.discard)(session)
            case _:
                pass

    def prune(self, state: State, market_seq: int) -> list[Divergence]:
        """Drop what the journal says by now; return where it says something else."""
        found: list[Divergence] = []
        kept: deque[Decided] = deque()
        for one in self.decisions:
            taken = state.decisions.get(one.decision.id)
            if taken is not None and taken.digest != (here := digest(one.decision)):
                found.append(Divergence(one.decision.id, taken.digest, here))
            if taken is None and not _void(one, state, market_seq):
                kept.append(one)
            elif not kept:
                self._intents = one.source
        if not kept:
            self._intents = self._newest
        self.decisions = kept
        self.reports = deque(r for r in self.reports if not says_nothing(state, r))
        self.divergences += len(found)
        return found

    @property
    def intents(self) -> str:
        """The bus id up to which every decision is journaled or void."""
        return self._intents

    @property
    def inbound(self) -> dict[str, int]:
        """The last MsgSeqNum on each session up to which the journal says everything."""
        told = dict(self._received)
        for report in self.reports:
            told[report.session] = min(told[report.session], report.seq - 1)
        return told

    def takeover(self) -> list[Event]:
        """Return what a new leader starts with: reports, sessions, then decisions."""
        return [
            *(Reported(report) for report in self.reports),
            *(SessionChanged(session, up=True) for session in sorted(self.up)),
            *self.decisions,
        ]


def _void(one: Decided, state: State, market_seq: int) -> bool:
    """Whether a leader would refuse a decision without a record of it, or as expired."""
    decision = one.decision
    if risk.malformed(decision) or market_seq > decision.expires_seq:
        return True
    last = state.last_decision.get(decision.strategy, -1)
    return not decision.probe and decision.seq <= last
