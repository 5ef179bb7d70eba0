"""Settling doubt: what to do about an order that the venue says it does not know.

*Unknown* is no proof of absence: a request may have left late, or be on its way. What
proves it is a fence. A venue that rejects a ClOrdID it has seen lets the order be entered
again under the same one: either it arrives now, or the rejection says that it had arrived.
An order session that was down since the request left cannot carry it any more.
"""

from __future__ import annotations

from typing import Literal

import msgspec

MAX_ENTRIES = 3
"""How often one order is entered, the first time included, before a person must look."""


class Fence(msgspec.Struct, frozen=True, kw_only=True):
    """What keeps a late request out.

    `duplicate`: the venue rejects this order's ClOrdID if it has seen it, on the session
    where it would be entered again. `session_down`: the session that the request may have
    left on has been down since, or its trading day is over at the venue.
    """

    duplicate: bool
    session_down: bool


class Answered(msgspec.Struct, frozen=True, kw_only=True):
    """What is to be done about an unknown order, and why."""

    step: Literal["reenter", "decline", "hold"]
    reason: str


def throttled(*, expired: bool, refusal: str) -> Answered:
    """Return what follows when the venue's throttle refused an order's only entry.

    Nothing was done there, so that no fence is asked for.
    """
    if why_not := "expired" if expired else refusal:
        return Answered(step="decline", reason=f"refused by the venue's throttle; then: {why_not}")
    return Answered(step="reenter", reason="refused by the venue's throttle")


def unknown(*, fence: Fence, entries: int, expired: bool, refusal: str) -> Answered:
    """Return what follows when the venue does not know an order in doubt.

    `entries` counts how often it was released to the gateway, `expired` whether market
    data has passed its expiry, `refusal` why risk or the kill switch refuses it now.
    """
    why_not = "expired" if expired else refusal
    if not why_not and entries >= MAX_ENTRIES:
        why_not = f"entered {entries} times and never known to the venue"
    if fence.duplicate and not why_not:
        return Answered(step="reenter", reason="unknown to the venue, which rejects duplicates")
    if fence.session_down:
        why_not = why_not or "never reached the venue"
        return Answered(step="decline", reason=f"not entered again: {why_not}")
    why_not = why_not or "the venue does not reject duplicates"
    return Answered(step="hold", reason=f"in doubt, not entered again: {why_not}")
