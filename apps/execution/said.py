"""What the journal says already: a decision by its digest, a report by its effect."""

from __future__ import annotations

import hashlib

import msgspec

from apps.core.messages import Decision
from apps.core.records import ReportSeen
from apps.execution import oms
from apps.execution.apply import forgotten
from apps.execution.state import State

_encoder = msgspec.json.Encoder(decimal_format="string")


def digest(decision: Decision) -> str:
    """Return a digest of what a decision asks for; when it was made is no part of it."""
    content = (
        decision.strategy,
        decision.seq,
        decision.day,
        decision.expires_seq,
        decision.probe,
        decision.intents,
    )
    return hashlib.sha256(_encoder.encode(content)).hexdigest()[:32]


def says_nothing(state: State, report: ReportSeen) -> bool:
    """Whether a report changes nothing that the journal does not say already."""
    before = state.orders.get(report.order)
    if before is None:
        return oms.answer(report) is oms.Answer.UNKNOWN or forgotten(state, report)
    step = oms.report(before, report)
    return step.order == before and step.execution is None and step.oddity is None
