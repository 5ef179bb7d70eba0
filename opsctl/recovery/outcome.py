"""What `failover` and `failback` answer with; the JSON form is a contract."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from opsctl.model.value import Value

Mode = Literal["planned", "emergency"]
Verdict = Literal["done", "refused", "failed"]
Check = Literal[
    "sites",
    "quorum",
    "identity",
    "already",
    "leader",
    "presence",
    "session",
    "fault",
    "behind",
    "clock",
    "members",
    "settings",
    "release",
    "handover",
]


class Refusal(Value):
    """A check that speaks against a handover; `checked` is false where nothing could be found."""

    check: Check
    reason: str
    checked: bool = True


class Failover(Value):
    """What a failover did.

    `refusals` are why nothing was moved. In an emergency `overridden` are the checks that
    spoke against it and were gone past, `skipped` those that could not be made. `epoch` is
    the one that led at the end, as far as known; `handover_ms` is the time from the commit of
    the request (of the new leadership, in an emergency) to the first heartbeat seen of the
    new epoch, null where none was seen. `detail` says what went wrong, `notes` what else
    the reader should know.
    """

    environment: str
    mode: Mode
    from_site: str | None
    to_site: str
    from_epoch: int | None
    epoch: int | None
    verdict: Verdict
    refusals: tuple[Refusal, ...] = ()
    overridden: tuple[Refusal, ...] = ()
    skipped: tuple[Refusal, ...] = ()
    handover_ms: float | None = None
    detail: str = ""
    notes: tuple[str, ...] = ()
    at: datetime
    by: str
