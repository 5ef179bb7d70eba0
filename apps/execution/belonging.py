"""Nothing is done on the journal of another environment."""

from __future__ import annotations

import asyncio
from collections.abc import Callable

import structlog

from apps.core.identity import Foreign, claim
from apps.core.journal import Journal
from apps.execution import metrics

log = structlog.get_logger()

AGAIN_S = 2.0
"""How soon a journal that was another's is looked at again: addresses get corrected."""


async def until_ours(journal: Journal, say: Callable[[str], None]) -> None:
    """Return once the journal is known to be our environment's; `say` why it is not yet."""
    told = ""
    while True:
        try:
            await claim(journal)
        except Foreign as fault:
            metrics.STANDS_ASIDE.labels("identity").set(1)
            say(f"refused: {fault}")
            if fault.journal != told:
                told = fault.journal
                log.error("alarm", kind="foreign_journal", detail=str(fault))
                metrics.ALARMS.labels("foreign_journal").inc()
            await asyncio.sleep(AGAIN_S)
        else:
            metrics.STANDS_ASIDE.labels("identity").set(0)
            return
