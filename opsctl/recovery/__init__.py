"""Moving the order path from one site to another, and back.

`failover` and `failback` are the commands' work; `heal` removes the request that a killed
opsctl left in the journal, and is for every command that finds one.
"""

from __future__ import annotations

from opsctl.recovery.failover import failback, failover
from opsctl.recovery.healing import heal
from opsctl.recovery.outcome import Failover, Refusal

__all__ = ["Failover", "Refusal", "failback", "failover", "heal"]
