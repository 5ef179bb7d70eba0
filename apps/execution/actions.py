"""What applying a record asks for: things that a leader must do in the world."""

from __future__ import annotations

import msgspec

from apps.core.messages import DecisionDone, Fill, OrderUpdate


class Send(msgspec.Struct, frozen=True):
    """Enter an order at the venue (NewOrderSingle)."""

    order: str
    again: bool = False


class Cancel(msgspec.Struct, frozen=True):
    """Ask the venue to cancel an order (OrderCancelRequest)."""

    order: str
    cancel: str


class AskStatus(msgspec.Struct, frozen=True):
    """Ask the venue for an order's state (OrderStatusRequest)."""

    order: str


class Publish(msgspec.Struct, frozen=True):
    """Tell the bus."""

    message: OrderUpdate | Fill | DecisionDone


class Alarm(msgspec.Struct, frozen=True):
    """Something that should not happen: counted, logged, shown."""

    kind: str
    detail: str


Action = Send | Cancel | AskStatus | Publish | Alarm
