"""The contract of an app: settings, `--describe`, operations endpoint, logs, drain.

An app subclasses `App` and its `__main__` calls `main`. The harness reads the settings,
serves /livez, /readyz and /metrics behind the bearer token, logs JSON to stdout, and on
SIGTERM (or SIGINT) sets `stopping` and gives `run` 5 s to return.
"""

from __future__ import annotations

import asyncio
import gc
import json
import os
import signal
import socket
import sys
from collections.abc import Sequence
from typing import Generic, NoReturn, TypeVar

import structlog
import uvicorn
import uvloop
from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from pydantic import ValidationError
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route

from apps.core import machine
from apps.core.guard import Bearer
from apps.core.logs import configure
from apps.core.settings import CoreSettings

DRAIN_S = 5.0

SettingsT = TypeVar("SettingsT", bound=CoreSettings)

log = structlog.get_logger()

YOUNG, OLDER = 20_000, (20, 50)
"""New objects between two collections, and how many of those between two of the older."""


class NotReady(Exception):
    """Why an app does not do its job right now."""


class App(Generic[SettingsT]):
    """One app: subclasses implement `run` and `ready`."""

    settings_type: type[SettingsT]

    def __init__(self, settings: SettingsT) -> None:
        """Keep the settings; open nothing yet."""
        self.settings = settings
        self.stopping = asyncio.Event()

    async def run(self) -> None:
        """Do the work until `stopping` is set, then drain and return."""
        raise NotImplementedError

    async def ready(self) -> None:
        """Return if the app does its job now (messages flow); raise `NotReady` with the reason."""
        raise NotImplementedError

    def routes(self) -> Sequence[BaseRoute]:
        """Return further routes of the operations endpoint, behind the same token."""
        return ()

    def public(self) -> Sequence[BaseRoute]:
        """Return routes that guard themselves (a page with its own log-in)."""
        return ()


def main(app: type[App[SettingsT]], argv: Sequence[str] | None = None) -> int:
    """Run an app as a process; return its exit code."""
    words = sys.argv[1:] if argv is None else argv
    if list(words) == ["--describe"]:
        json.dump(app.settings_type.model_json_schema(), sys.stdout, indent=2)
        print()
        return 0
    if words:
        print(
            "usage: --describe, or no argument: settings are TRADING_* variables", file=sys.stderr
        )
        return 2
    try:
        settings = app.settings_type()
    except ValidationError as fault:
        for error in fault.errors():
            name = "TRADING_" + "_".join(str(part) for part in error["loc"]).upper()
            print(f"{name}: {error['msg']}", file=sys.stderr)
        return 2
    configure(settings)
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        return runner.run(_serve(app(settings)))


def leave(code: int) -> NoReturn:
    """End the process at once, its output written: threads of an engine are not waited for."""
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


async def _serve(app: App[SettingsT]) -> int:
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, app.stopping.set)
    try:
        listener = socket.create_server((app.settings.http_host, app.settings.http_port))
    except OSError as fault:
        log.error(
            "operations endpoint cannot listen", port=app.settings.http_port, reason=str(fault)
        )
        return 1
    server = uvicorn.Server(
        uvicorn.Config(
            _operations(app),
            log_config=None,
            access_log=False,
            lifespan="off",
            timeout_graceful_shutdown=1,
        )
    )
    server.capture_signals = _no_capture  # type: ignore[method-assign, assignment]
    serving = loop.create_task(server.serve(sockets=[listener]))
    work = loop.create_task(app.run())
    stop = loop.create_task(app.stopping.wait())
    _spare_the_collector()
    log.info("started")
    try:
        await asyncio.wait({serving, work, stop}, return_when=asyncio.FIRST_COMPLETED)
        app.stopping.set()
        done, _ = await asyncio.wait({work}, timeout=DRAIN_S)
        if not done:
            log.error("did not drain in time", seconds=DRAIN_S)
            return 1
        work.result()
        if serving.done():
            serving.result()
    except Exception:
        log.exception("stopped by an error")
        return 1
    finally:
        work.cancel()
        stop.cancel()
        # Not by cancelling it: a loop of uvloop whose listener is half made never closes.
        server.should_exit = True
        await asyncio.wait({serving}, timeout=1.0)
        serving.cancel()
    log.info("stopped")
    return 0


def _spare_the_collector() -> None:
    """Let the garbage collector walk what lives long seldom: it stops the whole process.

    What was imported is never garbage; what an app keeps (orders, decisions) is freed by
    its reference count, and cycles come from errors and cancelled tasks only.
    """
    gc.freeze()
    gc.set_threshold(YOUNG, *OLDER)


class _no_capture:  # noqa: N801 - stands in for a context manager function of uvicorn
    """Leaves the signals to the harness."""

    def __enter__(self) -> None:
        return None

    def __exit__(self, *_: object) -> None:
        return None


def _operations(app: App[SettingsT]) -> Starlette:
    async def livez(_: Request) -> Response:
        return PlainTextResponse("ok")

    async def readyz(_: Request) -> Response:
        try:
            async with asyncio.timeout(2.0):
                await app.ready()
        except NotReady as why:
            return JSONResponse({"ready": False, "detail": str(why)}, status_code=503)
        except TimeoutError:
            return JSONResponse({"ready": False, "detail": "no answer in 2 s"}, status_code=503)
        return JSONResponse({"ready": True, "detail": ""})

    async def metrics(_: Request) -> Response:
        machine.measure()
        return Response(generate_latest(), media_type=CONTENT_TYPE_LATEST)

    guarded = [
        Route("/livez", livez),
        Route("/readyz", readyz),
        Route("/metrics", metrics),
        *app.routes(),
    ]
    token = app.settings.http_token_file.read_text().strip()
    return Starlette(routes=[Bearer(guarded, token).mount(), *app.public()][::-1])
