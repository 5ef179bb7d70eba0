"""TLS in front of a real PostgreSQL, as a managed instance has it.

The PostgreSQL of the toolchain is built without TLS. What the server would do first is done
here: it answers the request for TLS, proves who it is, and refuses who asks for none, as
`rds.force_ssl` does. Every byte after that is the real server's.

python -m tests.support.tls_front ADDRESS PORT SOCKET CERTIFICATE KEY

is one at another address, in whatever network it is started in.
"""

from __future__ import annotations

import asyncio
import contextlib
import ssl
import sys
import threading
from collections.abc import Iterator
from pathlib import Path

LISTENING = "listening"
TLS_REQUEST = (8).to_bytes(4) + (80877103).to_bytes(4)
"""The message SSLRequest of PostgreSQL's protocol, which libpq sends first."""
NO_ENCRYPTION = b"SFATAL\0VFATAL\0C28000\0Mno pg_hba.conf entry for host, no encryption\0\0"
CHUNK = 65_536


@contextlib.contextmanager
def tls_front(port: int, to: int, certificate: Path, key: Path) -> Iterator[None]:
    """Run it at a port of 127.0.0.1 and 127.0.0.2, in front of a PostgreSQL on loopback."""
    loop = asyncio.new_event_loop()
    listening = loop.run_until_complete(
        _listen(["127.0.0.1", "127.0.0.2"], port, to, certificate, key)
    )
    thread = threading.Thread(target=loop.run_forever)
    thread.start()
    try:
        yield
    finally:
        asyncio.run_coroutine_threadsafe(_end(listening), loop).result()
        loop.call_soon_threadsafe(loop.stop)
        thread.join()
        loop.close()


async def _listen(
    addresses: list[str], port: int, to: int | Path, certificate: Path, key: Path
) -> asyncio.Server:
    proves = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    proves.load_cert_chain(certificate, key)
    return await asyncio.start_server(
        lambda reader, writer: _serve(reader, writer, to, proves), addresses, port
    )


async def _end(listening: asyncio.Server) -> None:
    listening.close()
    served = asyncio.all_tasks() - {asyncio.current_task()}
    for task in served:
        task.cancel()
    await asyncio.gather(*served, return_exceptions=True)


async def _serve(
    reader: asyncio.StreamReader,
    writer: asyncio.StreamWriter,
    to: int | Path,
    proves: ssl.SSLContext,
) -> None:
    with contextlib.suppress(OSError, asyncio.IncompleteReadError, asyncio.CancelledError):
        try:
            if await reader.readexactly(len(TLS_REQUEST)) != TLS_REQUEST:
                writer.write(b"E" + (len(NO_ENCRYPTION) + 4).to_bytes(4) + NO_ENCRYPTION)
                await writer.drain()
                return
            writer.write(b"S")
            await writer.drain()
            await writer.start_tls(proves)
            far_reader, far_writer = await (
                asyncio.open_unix_connection(to)
                if isinstance(to, Path)
                else asyncio.open_connection("127.0.0.1", to)
            )
            try:
                await asyncio.gather(_pump(reader, far_writer), _pump(far_reader, writer))
            finally:
                far_writer.close()
        finally:
            writer.close()


async def _pump(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    while data := await reader.read(CHUNK):
        writer.write(data)
        await writer.drain()
    writer.close()


async def _main(address: str, port: str, socket: str, certificate: str, key: str) -> None:
    listening = await _listen([address], int(port), Path(socket), Path(certificate), Path(key))
    print(LISTENING, flush=True)
    await listening.serve_forever()


if __name__ == "__main__":
    asyncio.run(_main(*sys.argv[1:]))
