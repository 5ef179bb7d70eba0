from __future__ import annotations

import asyncio

import pytest

from apps.core.cancelling import heed_cancellation


def test_a_cancellation_that_somebody_caught_is_heeded() -> None:
    async def go() -> None:
        heed_cancellation()
        caught = asyncio.Event()

        async def careless() -> None:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                caught.set()
            heed_cancellation()

        task = asyncio.create_task(careless())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert caught.is_set()

    asyncio.run(go())
