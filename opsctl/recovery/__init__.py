"""Moving the order path from one site to another, and back.

`failover` and `failback` are the commands' work; `left` tells of a request that a killed opsctl
left in the journal, `heal` removes it. `leads` and `against` look, for an update that goes from
site to site.
"""

from __future__ import annotations

from opsctl.recovery.failover import failback, failover
from opsctl.recovery.healing import heal, left
from opsctl.recovery.outcome import Failover, Refusal
from opsctl.recovery.standing import against, leads

__all__ = [
    "Failover",
    "Refusal",
    "against",
    "failback",
    "failover",
    "heal",
    "leads",
    "left",
]
