"""The desk on real servers: log-in, snapshot, live changes, losses and recoveries."""

from __future__ import annotations

import json
import signal
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from decimal import Decimal
from typing import Any

import httpx
import pytest
from websockets.exceptions import InvalidStatus
from websockets.sync.client import ClientConnection, connect
from websockets.typing import Origin

from apps.core.messages import Side
from tests.integration.desk.conftest import Shown
from tests.integration.desk.stage import CAPITAL, FIRST_DAY, RunningDesk
from tests.support.servers import wait_for

CENT = Decimal("0.01")


class Page:
    """What a page knows, from the messages that it got."""

    def __init__(self, socket: ClientConnection) -> None:
        self.socket = socket
        self.state: dict[str, Any] = {}
        self.messages = 0

    def until(self, seen: Callable[[dict[str, Any]], bool], timeout_s: float = 15.0) -> None:
        """Take messages until the state is as wanted."""

        def step() -> bool:
            if self.state and seen(self.state):
                return True
            try:
                self.take(json.loads(self.socket.recv(timeout=0.5)))
            except TimeoutError:
                return False
            return seen(self.state)

        try:
            wait_for(step, "the page", timeout_s)
        except TimeoutError:
            pytest.fail(f"the page shows {json.dumps(self.state)[:3_000]}")

    def take(self, message: dict[str, Any]) -> None:
        """Apply a message as the page does."""
        self.messages += 1
        if message["t"] == "snapshot":
            self.state = {"environment": message["environment"]}
        changes = message.get("state", message)
        for name in ("figures", "latency", "tape", "status", "services"):
            if changes.get(name) is not None:
                self.state[name] = changes[name]
        if points := changes.get("points"):
            for name in ("days", "equity", "index"):
                kept = self.state.get(name, [])[: points["start"]]
                self.state[name] = kept + points[name]
        for name, key in (
            ("positions", "symbol"),
            ("orders", "id"),
            ("fills", "key"),
            ("decisions", "id"),
        ):
            rows = self.state.setdefault(name, {})
            rows |= {row[key]: row for row in changes.get(name) or ()}
        for symbol in changes.get("gone") or ():
            del self.state["positions"][symbol]


@contextmanager
def page(running: RunningDesk, cookies: dict[str, str] | None = None) -> Iterator[Page]:
    cookies = cookies or running.log_in()
    with connect(
        f"ws://127.0.0.1:{running.port}/live",
        origin=Origin(running.address),
        additional_headers={"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())},
        max_size=None,
    ) as socket:
        yield Page(socket)


def shows(firm_equity: Decimal) -> Callable[[dict[str, Any]], bool]:
    return lambda state: state["figures"]["equity"] == str(firm_equity.quantize(CENT))


def test_a_page_shows_the_books_and_then_what_happens(shown: Shown) -> None:
    firm = shown.firm
    with page(shown.desk) as seen:
        seen.until(shows(firm.equity))
        state = seen.state
        assert (state["environment"], state["days"][0]) == ("daily", FIRST_DAY.isoformat())
        assert (len(state["days"]), state["equity"][0]) == (6, float(CAPITAL))
        assert state["figures"]["pnl"] == str((firm.equity - CAPITAL).quantize(CENT))
        assert state["figures"]["cash"] == str(firm.cash.quantize(CENT))
        assert {s: p["qty"] for s, p in state["positions"].items()} == {"KO": 800, "JNJ": 500}
        assert len(state["orders"]) == len(state["fills"]) == 3
        assert [d["orders"] for d in state["decisions"].values()] == [0, 0, 0, 0, 2, 1]
        assert state["latency"]["samples"] == 3
        assert state["latency"]["budget_us"] == 1_000_000

        firm.close()
        firm.decide([("KO", Side.SELL, 800), ("AMD", Side.BUY, 70)])
        seen.until(lambda s: len(s["fills"]) == 5 and shows(firm.equity)(s))
        assert {s: p["qty"] for s, p in seen.state["positions"].items()} == {"JNJ": 500, "AMD": 70}
        assert (len(seen.state["days"]), seen.state["tape"]["day"]) == (7, firm.day.isoformat())

        seen.until(lambda s: bool(s["services"]))
        health = {row["name"]: row for row in seen.state["services"]}
        assert health["desk"]["ready"]
        assert not health["data"]["ready"]

        firm.halt(halted=True)
        seen.until(lambda s: s["status"]["halted"])
        firm.halt(halted=False)
        seen.until(lambda s: not s["status"]["halted"])


def test_many_changes_travel_as_few_messages(shown: Shown) -> None:
    with page(shown.desk) as seen:
        seen.until(shows(shown.firm.equity))
        before = seen.messages
        for _ in range(40):
            shown.firm.close(stored=False)
        seen.until(lambda s: len(s["days"]) == 46)
        assert seen.messages - before < 40
        assert shows(shown.firm.equity)(seen.state)


def test_the_door(shown: Shown) -> None:
    desk = shown.desk
    code = desk.code()
    locked = httpx.get(desk.address)
    assert locked.status_code == 401
    assert "opsctl open daily" in locked.text
    first = httpx.get(f"{desk.address}/login", params={"code": code})
    assert first.status_code == 200
    cookie = first.headers["set-cookie"].lower()
    assert "httponly" in cookie
    assert "samesite=strict" in cookie
    assert httpx.get(f"{desk.address}/login", params={"code": code}).status_code == 401
    for bad in (desk.code(in_s=-1), desk.code(in_s=120), "x", desk.code() + "0"):
        assert httpx.get(f"{desk.address}/login", params={"code": bad}).status_code == 401
    inside = httpx.get(desk.address, cookies=dict(first.cookies))
    assert inside.status_code == 200
    policy = inside.headers["content-security-policy"]
    assert "unsafe" not in policy
    assert "default-src 'none'" in policy
    assert "no-store" in inside.headers["cache-control"]
    assert httpx.get(desk.address, cookies=dict.fromkeys(first.cookies, "x")).status_code == 401


def test_another_host_or_origin_is_refused(shown: Shown) -> None:
    desk = shown.desk
    cookies = desk.log_in()
    header = {"Cookie": "; ".join(f"{k}={v}" for k, v in cookies.items())}
    for host in ("evil.example", f"evil.example:{desk.port}", "127.0.0.1", ""):
        answer = httpx.get(desk.address, headers={**header, "Host": host})
        assert answer.status_code in (400, 421), host
    named = httpx.get(desk.address, headers={**header, "Host": f"localhost:{desk.port}"})
    assert named.status_code == 200
    for origin in (None, "http://evil.example", f"http://127.0.0.1:{desk.port + 1}", "null"):
        with pytest.raises(InvalidStatus) as refused:
            connect(
                f"ws://127.0.0.1:{desk.port}/live",
                origin=Origin(origin) if origin else None,
                additional_headers=header,
            )
        assert refused.value.response.status_code == 403
    with pytest.raises(InvalidStatus):
        connect(f"ws://127.0.0.1:{desk.port}/live", origin=Origin(desk.address))


def test_static_files_are_kept_by_the_browser(shown: Shown) -> None:
    desk = shown.desk
    first = httpx.get(f"{desk.address}/static/desk.js")
    assert first.headers["content-type"].startswith("text/javascript")
    assert first.headers["x-content-type-options"] == "nosniff"
    again = httpx.get(
        f"{desk.address}/static/desk.js", headers={"If-None-Match": first.headers["etag"]}
    )
    assert (again.status_code, again.content) == (304, b"")
    for missing in ("nothing.js", "index.html", "../app.py", "%2e%2e/app.py"):
        assert httpx.get(f"{desk.address}/static/{missing}").status_code in (401, 404)


def test_the_operations_endpoint_keeps_its_token(shown: Shown) -> None:
    desk = shown.desk
    assert desk.ready().json() == {"ready": True, "detail": ""}
    token = {"Authorization": f"Bearer {desk.token}"}
    metrics = httpx.get(f"{desk.address}/metrics", headers=token).text
    assert f"trading_desk_equity_usd {float(shown.firm.equity)}" in metrics
    assert 'trading_desk_source_up{source="books"} 1.0' in metrics
    for path in ("readyz", "livez", "metrics"):
        assert httpx.get(f"{desk.address}/{path}").status_code == 401


def test_a_lost_bus_is_shown_and_recovered(shown: Shown) -> None:
    firm = shown.firm
    with page(shown.desk) as seen:
        seen.until(shows(firm.equity))
        shown.valkey.process.kill()
        seen.until(lambda s: s["status"]["bus"] == "down")
        assert "bus" in shown.desk.ready().json()["detail"]
        firm.close(published=False)
        firm.decide([("GE", Side.BUY, 30)], published=False)
        shown.valkey.process.start()
        seen.until(lambda s: s["status"]["bus"] == "up" and shows(firm.equity)(s))
        firm.close()
        firm.decide([("KO", Side.BUY, 10)])
        seen.until(shows(firm.equity))
        assert {s: p["qty"] for s, p in seen.state["positions"].items()} == {
            "KO": 810,
            "JNJ": 500,
            "GE": 30,
        }


def test_lost_books_are_shown_while_the_bus_goes_on(shown: Shown) -> None:
    firm = shown.firm
    with page(shown.desk) as seen:
        seen.until(shows(firm.equity))
        shown.postgres.process.stop(signal.SIGINT)
        seen.until(lambda s: s["status"]["books"] == "down")
        assert "books" in shown.desk.ready().json()["detail"]
        firm.close(stored=False)
        seen.until(shows(firm.equity))
        shown.postgres.process.start()
        seen.until(lambda s: s["status"]["books"] == "up")
        seen.until(shows(firm.equity))
        wait_for(shown.desk.is_ready, "the desk")


def test_a_fill_that_the_bus_lost_is_found_in_the_books(shown: Shown) -> None:
    firm = shown.firm
    with page(shown.desk) as seen:
        seen.until(shows(firm.equity))
        firm.decide_silently([("AMD", Side.BUY, 40)])
        seen.until(lambda s: s["status"]["difference"] != "", 30.0)
        seen.until(lambda s: "AMD" in s["positions"], 30.0)
        seen.until(lambda s: s["status"]["difference"] == "" and shows(firm.equity)(s), 30.0)


def test_a_desk_without_books_waits_for_them(shown: Shown) -> None:
    shown.desk.process.kill()
    shown.postgres.process.stop(signal.SIGINT)
    shown.desk.process.start()

    def waits() -> bool:
        try:
            return "books down" in shown.desk.ready().json()["detail"]
        except httpx.TransportError:
            return False

    wait_for(waits, "the desk to say what it waits for")
    shown.postgres.process.start()
    wait_for(shown.desk.is_ready, "the desk")
    with page(shown.desk) as seen:
        seen.until(shows(shown.firm.equity))


def test_it_stops_when_asked(shown: Shown) -> None:
    with page(shown.desk) as seen:
        seen.until(shows(shown.firm.equity))
        assert shown.desk.process.stop(timeout_s=5.0) == 0
    assert '"event": "stopped"' in shown.desk.process.log()
