from __future__ import annotations

import asyncio
import gc
import socket
import ssl
from typing import Any

import pytest

from apps.core.rpc import CONNECT_S, Channel, Failed


def test_a_connection_that_fails_after_its_callers_gave_up_is_not_reported() -> None:
    """A server that accepts and never answers the handshake, and a caller with less patience."""

    async def go() -> list[dict[str, Any]]:
        told: list[dict[str, Any]] = []
        asyncio.get_running_loop().set_exception_handler(lambda _, context: told.append(context))
        with socket.create_server(("127.0.0.1", 0)) as mute:
            channel = Channel(f"127.0.0.1:{mute.getsockname()[1]}", ssl.create_default_context())
            with pytest.raises(Failed, match="does not connect"):
                await channel.call("/a/method", b"", timeout_s=CONNECT_S / 10)
            opening = channel._opening
            assert opening is not None
            await asyncio.wait({opening})
            assert not opening.cancelled()
            channel._opening = None
            del opening
            await asyncio.sleep(0)
            gc.collect()
        return told

    assert asyncio.run(go()) == []
