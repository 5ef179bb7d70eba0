"""The page over HTTP: log-in, static files, the websocket, and what guards them.

A page of another site in the same browser can reach loopback: so the Host header is
checked (DNS rebinding), the cookie is SameSite=Strict, and a websocket also shows an
Origin, which a port of its own tells from another program on this machine.
"""

from __future__ import annotations

import asyncio
import html
from collections.abc import Sequence

from starlette.datastructures import Headers, MutableHeaders
from starlette.middleware import Middleware
from starlette.requests import HTTPConnection, Request
from starlette.responses import HTMLResponse, PlainTextResponse, Response
from starlette.routing import BaseRoute, Route, WebSocketRoute
from starlette.types import ASGIApp, Message, Receive, Scope, Send
from starlette.websockets import WebSocket, WebSocketDisconnect

from apps.desk import metrics
from apps.desk.assets import FOLDER, Assets
from apps.desk.hub import Hub, Mail, TooMany
from apps.desk.login import SESSION_S, Gate

NO_SESSION, RESTARTING, TOO_MANY = 4401, 1012, 1013
"""Why a websocket is closed: the session is over, the desk stops (or a page was too slow)."""

HEADERS = {
    "Content-Security-Policy": (
        "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:;"
        " font-src 'self'; connect-src 'self'; base-uri 'none'; form-action 'none';"
        " frame-ancestors 'none'"
    ),
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
    "Cross-Origin-Opener-Policy": "same-origin",
    "Cross-Origin-Resource-Policy": "same-origin",
}


class Shield:
    """Answers only under a name of ours, and adds the headers that confine a page."""

    def __init__(self, app: ASGIApp, hosts: Sequence[str]) -> None:
        """Guard an app; `hosts` are the values of the Host header that are ours."""
        self._app, self._hosts = app, frozenset(hosts)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Serve one request or websocket."""
        if Headers(scope=scope).get("host", "") not in self._hosts:
            metrics.REFUSED.labels(reason="host").inc()
            if scope["type"] == "websocket":
                await WebSocket(scope, receive, send).close()
            else:
                answer = PlainTextResponse("no such host here", status_code=421)
                await answer(scope, receive, send)
            return

        async def confined(message: Message) -> None:
            if message["type"] == "http.response.start":
                headers = MutableHeaders(scope=message)
                headers.update(HEADERS)
                headers.setdefault("Cache-Control", "no-cache")
            await send(message)

        await self._app(scope, receive, confined)


class Pages:
    """The routes of the page."""

    def __init__(self, gate: Gate, hub: Hub, environment: str, host: str, port: int) -> None:
        """Serve at a host and port to those whom the gate lets in."""
        self._gate, self._hub = gate, hub
        # Cookies know no port: each environment on this machine needs a name of its own.
        self._cookie = f"desk_{environment}_{port}"
        self._hosts = [f"{name}:{port}" for name in dict.fromkeys((host, "127.0.0.1", "localhost"))]
        self._page = (FOLDER / "index.html").read_text(encoding="utf-8")
        locked = (FOLDER / "locked.html").read_text(encoding="utf-8")
        self._locked = locked.replace("{{environment}}", html.escape(environment))
        self._welcome = (FOLDER / "welcome.html").read_text(encoding="utf-8")

    def routes(self) -> Sequence[BaseRoute]:
        """Return the routes, each behind the shield."""
        shield = [Middleware(Shield, hosts=self._hosts)]
        return (
            Route("/", self._index, middleware=shield),
            Route("/login", self._login, methods=["GET"], middleware=shield),
            WebSocketRoute("/live", self._live, middleware=shield),
            Route("/static/{path:path}", Assets().serve, middleware=shield),
        )

    async def _index(self, request: Request) -> Response:
        if self._session(request) is None:
            return self._refuse("cookie")
        return _html(self._page)

    async def _login(self, request: Request) -> Response:
        if request.method != "GET" or not self._gate.admit(request.query_params.get("code", "")):
            return self._refuse("code")
        # A page that goes on by itself, not a redirect: the cookie is SameSite=Strict, and
        # a redirect that another site began would come without it.
        answer = _html(self._welcome)
        answer.set_cookie(
            self._cookie, self._gate.cookie(), max_age=SESSION_S, httponly=True, samesite="strict"
        )
        return answer

    async def _live(self, socket: WebSocket) -> None:
        origin = socket.headers.get("origin", "")
        if origin not in {
            f"{scheme}://{host}" for scheme in ("http", "https") for host in self._hosts
        }:
            metrics.REFUSED.labels(reason="origin").inc()
            await socket.close()
            return
        left_s = self._session(socket)
        if left_s is None:
            metrics.REFUSED.labels(reason="cookie").inc()
            await socket.close()
            return
        await socket.accept()
        code = TOO_MANY
        try:
            with self._hub.page() as mail:
                code = await _deliver(socket, mail, left_s)
        except TooMany:
            metrics.REFUSED.labels(reason="too many").inc()
        except WebSocketDisconnect:
            return
        await socket.close(code)

    def _session(self, connection: HTTPConnection) -> float | None:
        """Return the seconds that a request's session still lasts; None where it has none."""
        return self._gate.left_s(connection.cookies.get(self._cookie, ""))

    def _refuse(self, reason: str) -> Response:
        metrics.REFUSED.labels(reason=reason).inc()
        return _html(self._locked, status=401)


async def _deliver(socket: WebSocket, mail: Mail, left_s: float) -> int:
    """Send a page its mail; return why it should be closed.

    Raises WebSocketDisconnect when the page is gone.
    """

    async def send() -> int:
        while (text := await mail.get()) is not None:
            await socket.send_text(text)
        return RESTARTING

    async def listen() -> int:
        while (await socket.receive())["type"] != "websocket.disconnect":
            pass
        raise WebSocketDisconnect

    jobs = [asyncio.create_task(send()), asyncio.create_task(listen())]
    try:
        done, _ = await asyncio.wait(jobs, timeout=left_s, return_when=asyncio.FIRST_COMPLETED)
        return done.pop().result() if done else NO_SESSION
    finally:
        for job in jobs:
            job.cancel()
        await asyncio.gather(*jobs, return_exceptions=True)


def _html(text: str, status: int = 200) -> Response:
    return HTMLResponse(text, status_code=status, headers={"Cache-Control": "no-store"})
