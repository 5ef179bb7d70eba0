"""Cancellations that a library swallowed: a task that was cancelled must end all the same."""

from __future__ import annotations

import asyncio


def heed_cancellation() -> None:
    """Raise `CancelledError` where this task was cancelled, and somebody caught it."""
    task = asyncio.current_task()
    if task is not None and task.cancelling():
        raise asyncio.CancelledError
