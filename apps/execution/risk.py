"""Pre-trade risk: a verdict with its reason on every intent of a decision.

Pure: what is held, what is open or in doubt, prices and the time come as values. An
order that is not settled counts in full wherever it could hurt: a position limit sees
all open purchases filled and no open sale, and the other way round. A decision is judged
whole: what reduces comes first, so that a rebalancing is not refused for the purchases
that its own sales pay for.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date
from decimal import Decimal

import msgspec

from apps.core.instruments import instrument
from apps.core.messages import Decision, Intent, OrderType, Side
from apps.core.records import Outcome, Verdict

BPS = Decimal(10_000)
MAX_WORD = 64
MAX_NUMBER = 10**12


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """Pre-trade limits; see `apps.core.settings.RiskSettings`."""

    max_order_notional_usd: Decimal
    max_order_shares: int
    max_position_notional_usd: Decimal
    max_gross_notional_usd: Decimal
    price_collar_bps: int
    max_orders_per_s: int


class Market(msgspec.Struct, frozen=True, kw_only=True):
    """The market as far as it has been seen: the last day and its closes; seq -1 before any."""

    seq: int = -1
    day: str = ""
    prices: Mapping[str, Decimal] = {}


class Exposure(msgspec.Struct, frozen=True):
    """Shares of one instrument: held, and open or in doubt on each side."""

    held: int = 0
    buys: int = 0
    sells: int = 0

    @property
    def worst(self) -> int:
        """The most shares, long or short, that this could become."""
        return max(abs(self.held + self.buys), abs(self.held - self.sells))

    def with_order(self, side: Side, qty: int) -> Exposure:
        """Return the exposure with one more open order."""
        if side is Side.BUY:
            return Exposure(self.held, self.buys + qty, self.sells)
        return Exposure(self.held, self.buys, self.sells + qty)

    def reduced_by(self, side: Side, qty: int) -> bool:
        """Whether an order can only bring the position nearer to zero, all else filled."""
        if side is Side.BUY:
            return self.held + self.buys < 0 and qty <= -(self.held + self.buys)
        return self.held - self.sells > 0 and qty <= self.held - self.sells


class View(msgspec.Struct, frozen=True, kw_only=True):
    """What risk looks at: everything that a verdict depends on."""

    market: Market
    exposures: Mapping[str, Exposure] = {}
    doubted: Mapping[str, str] = {}
    """Symbols blocked by an order in doubt -> that order."""
    known: Callable[[str], bool]
    """Whether an order id was used before."""
    halt: str = ""
    """Why trading is halted; empty where it is not."""
    sent_last_s: int = 0
    """Orders accepted within the last second of event time."""


class Judgement(msgspec.Struct, frozen=True, kw_only=True):
    """What risk says about a decision."""

    outcome: Outcome
    reason: str = ""
    verdicts: tuple[Verdict, ...] = ()


def malformed(decision: Decision) -> str:
    """Return why a decision cannot be journaled at all; empty where it can.

    Its words become FIX fields and rows: what neither can hold never enters the journal.
    """
    words = [decision.strategy, decision.probe, *(i.id for i in decision.intents)]
    words += [intent.symbol for intent in decision.intents]
    for word in words:
        if len(word) > MAX_WORD or not (word.isascii() and word.isprintable()):
            return f"{word[:MAX_WORD]!r} is no identifier"
    if not decision.strategy or not all(i.id and i.symbol for i in decision.intents):
        return "an empty identifier"
    if not all(abs(seq) <= MAX_NUMBER for seq in (decision.seq, decision.expires_seq)):
        return "a sequence out of range"
    try:
        date.fromisoformat(decision.day)
    except ValueError:
        return f"{decision.day[:MAX_WORD]!r} is no ISO date"
    for intent in decision.intents:
        limit = intent.limit
        if abs(intent.qty) > MAX_NUMBER:
            return f"{intent.id}: a quantity out of range"
        if limit is not None and not (limit.is_finite() and abs(limit) <= MAX_NUMBER):
            return f"{intent.id}: limit {limit} out of range"
    return ""


def judge(decision: Decision, view: View, limits: Limits) -> Judgement:
    """Return the verdicts on a decision whose id was not seen before."""
    if view.market.seq < 0:
        return _whole(decision, Outcome.REFUSED, "no market data yet")
    if view.market.seq > decision.expires_seq:
        reason = f"void: expired at {decision.expires_seq}, market data is at {view.market.seq}"
        return _whole(decision, Outcome.EXPIRED, reason)
    if decision.seq == view.market.seq and decision.day != view.market.day:
        reason = f"stale trading day {decision.day}: day {view.market.seq} is {view.market.day}"
        return _whole(decision, Outcome.REFUSED, reason)
    if view.halt and decision.intents:
        return _whole(decision, Outcome.REFUSED, view.halt)
    return _each(decision, view, limits)


def recheck(intent: Intent, view: View, limits: Limits) -> str:
    """Return why an order may not be sent again; empty where it may.

    The view must not hold the order's own reservation, nor count its symbol as doubted.
    """
    if view.halt:
        return view.halt
    return _refusal(intent, view, limits, dict(view.exposures), view.sent_last_s, set())


def _whole(decision: Decision, outcome: Outcome, reason: str) -> Judgement:
    verdicts = tuple(Verdict(intent=i.id, accepted=False, reason=reason) for i in decision.intents)
    return Judgement(outcome=outcome, reason=reason, verdicts=verdicts)


def _each(decision: Decision, view: View, limits: Limits) -> Judgement:
    exposures = dict(view.exposures)
    reasons: dict[int, str] = {}
    used: set[str] = set()
    sent = view.sent_last_s
    for at in _reducing_first(decision, view):
        intent = decision.intents[at]
        reason = (
            f"duplicate id {intent.id}"
            if view.known(intent.id) or intent.id in used
            else _refusal(intent, view, limits, exposures, sent, _credited(decision, reasons))
        )
        used.add(intent.id)
        reasons[at] = reason
        if not reason:
            sent += 1
            held = exposures.get(intent.symbol, Exposure())
            exposures[intent.symbol] = held.with_order(intent.side, intent.qty)
    verdicts = tuple(
        Verdict(intent=intent.id, accepted=not reasons[at], reason=reasons[at])
        for at, intent in enumerate(decision.intents)
    )
    refused = verdicts and not any(verdict.accepted for verdict in verdicts)
    return Judgement(
        outcome=Outcome.REFUSED if refused else Outcome.ACCEPTED,
        reason=verdicts[0].reason if refused else "",
        verdicts=verdicts,
    )


def _reducing_first(decision: Decision, view: View) -> list[int]:
    def adds(at: int) -> bool:
        intent = decision.intents[at]
        return not view.exposures.get(intent.symbol, Exposure()).reduced_by(intent.side, intent.qty)

    return sorted(range(len(decision.intents)), key=lambda at: (adds(at), at))


def _credited(decision: Decision, reasons: Mapping[int, str]) -> set[str]:
    """Return the symbols whose accepted orders of this decision may count as executed."""
    return {decision.intents[at].symbol for at, reason in reasons.items() if not reason}


def _refusal(
    intent: Intent,
    view: View,
    limits: Limits,
    exposures: Mapping[str, Exposure],
    sent: int,
    credited: set[str],
) -> str:
    """Return why an intent is refused; empty where it is accepted."""
    close = view.market.prices.get(intent.symbol)
    malformed = _malformed(intent)
    if malformed:
        return malformed
    if close is None:
        return f"no price for {intent.symbol}"
    if intent.symbol in view.doubted:
        return f"{intent.symbol} is blocked: order {view.doubted[intent.symbol]} is in doubt"
    collar = Decimal(limits.price_collar_bps) / BPS
    price = intent.limit if intent.limit is not None else close * (1 + collar)
    if abs(price / close - 1) > collar:
        away = int(abs(price / close - 1) * BPS)
        return f"price collar: {price} is {away} bps from {close}, limit {limits.price_collar_bps}"
    if intent.qty > limits.max_order_shares:
        return f"order size: {intent.qty} shares, limit {limits.max_order_shares}"
    if intent.qty * price > limits.max_order_notional_usd:
        notional = intent.qty * price
        return f"order notional: {notional:.2f} USD, limit {limits.max_order_notional_usd}"
    if sent >= limits.max_orders_per_s:
        return f"rate: {limits.max_orders_per_s} orders in a second already"
    return _beyond(intent, view, limits, exposures, credited, max(price, close))


def _malformed(intent: Intent) -> str:
    if intent.qty <= 0:
        return f"quantity {intent.qty} is not positive"
    if (intent.limit is None) != (intent.order_type is OrderType.MARKET):
        return (
            f"a {intent.order_type} order {'without' if intent.limit is None else 'with'} a limit"
        )
    if intent.limit is None:
        return ""
    if intent.limit <= 0:
        return f"limit {intent.limit} is not positive"
    if intent.qty % instrument(intent.symbol).lot:
        return f"quantity {intent.qty} is not a multiple of the lot"
    try:
        instrument(intent.symbol).ticks(intent.limit)
    except ValueError as fault:
        return str(fault)
    return ""


def _beyond(
    intent: Intent,
    view: View,
    limits: Limits,
    exposures: Mapping[str, Exposure],
    credited: set[str],
    price: Decimal,
) -> str:
    """Return which limit on what is held an order would exceed; a reducing one exceeds none."""
    before = exposures.get(intent.symbol, Exposure())
    if before.reduced_by(intent.side, intent.qty):
        return ""
    after = before.with_order(intent.side, intent.qty)
    notional = after.worst * price
    if notional > limits.max_position_notional_usd:
        return (
            f"position: {notional:.2f} USD of {intent.symbol} with what is open, "
            f"limit {limits.max_position_notional_usd}"
        )
    gross = sum(
        (
            _gross_shares(exposure, symbol in credited) * view.market.prices.get(symbol, Decimal(0))
            for symbol, exposure in exposures.items()
            if symbol != intent.symbol
        ),
        start=notional,
    )
    if gross > limits.max_gross_notional_usd:
        return f"gross: {gross:.2f} USD with what is open, limit {limits.max_gross_notional_usd}"
    return ""


def _gross_shares(exposure: Exposure, credited: bool) -> int:
    if not credited:
        return exposure.worst
    # An order of the same decision counts as executed where it reduces.
    return abs(exposure.held + exposure.buys - exposure.sells)
