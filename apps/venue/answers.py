"""Answers to status requests: what a session may ask, and what it is told."""

from __future__ import annotations

from collections.abc import Iterator

from apps.core.fix import Pair, Received
from apps.venue import wire
from apps.venue.state import Order, State

_MASS_BY_SYMBOL, _MASS_ALL = "1", "7"

Message = tuple[str, list[Pair]]


class Answers:
    """Reads the state; a session sees the firm's orders or its own, as the profile says."""

    def __init__(self, state: State) -> None:
        """Answer from a state."""
        self._state = state
        self._given = 0

    def to(self, asked: Received, at_ns: int) -> Iterator[Message]:
        """Yield type and body of every message that answers a request."""
        if asked.msg_type == "H":
            order = self._state.find(asked.session, asked.get(11), asked.get(37))
            visible = order is not None and self._visible(order, asked.session)
            yield "8", self._status(order if visible else None, asked, at_ns)
            return
        kind, symbol = asked.get(585), asked.get(55)
        if kind not in (_MASS_BY_SYMBOL, _MASS_ALL):
            text = f"MassStatusReqType {kind} is not known here"
            yield "j", wire.refusal(asked, "0", text)
            return
        found = [
            order
            for order in self._state.today.values()
            if self._visible(order, asked.session) and (kind == _MASS_ALL or order.symbol == symbol)
        ]
        for number, order in enumerate(found or [None], start=1):
            last = "Y" if number >= len(found) else "N"
            told: list[Pair] = [(911, str(len(found))), (912, last)]
            yield "8", self._status(order, asked, at_ns) + told

    def _visible(self, order: Order, session: str) -> bool:
        return self._state.profile.status_scope == "firm" or order.session == session

    def _status(self, order: Order | None, asked: Received, at_ns: int) -> list[Pair]:
        self._given += 1
        exec_id = f"S{at_ns}-{self._given}"
        return wire.status(order, asked, exec_id=exec_id, day=self._state.day, at_ns=at_ns)
