"""`opsctl open`: a link that works once, in a browser where there is one."""

from __future__ import annotations

import socket
import time
import webbrowser
from collections.abc import Iterator
from urllib.parse import parse_qs, urlsplit

import pytest

from opsctl.deploy.link import login_code
from tests.unit.cli.conftest import Opsctl
from tests.unit.deploy.fake import FakeTarget


@pytest.fixture(autouse=True)
def _desk(opsctl: Opsctl, target: FakeTarget) -> Iterator[None]:
    """A desk listens, as far as a connection can tell."""
    assert opsctl("deploy", "daily", "--no-verify").code == 0
    with socket.create_server(("127.0.0.1", 0)) as server:
        target.host.port = server.getsockname()[1]
        yield


@pytest.fixture
def opened(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """A display, and the addresses that its browser was given."""
    addresses: list[str] = []

    class Browser:
        def open(self, address: str) -> bool:
            addresses.append(address)
            return True

    monkeypatch.setenv("DISPLAY", ":0")
    monkeypatch.setattr(webbrowser, "get", Browser)
    return addresses


def test_without_a_display_the_address_is_printed(opsctl: Opsctl, target: FakeTarget) -> None:
    done = opsctl("open", "daily")
    assert done.code == 0
    link = urlsplit(done.out.strip())
    assert (link.scheme, link.netloc, link.path) == (
        "http",
        f"127.0.0.1:{target.host.port}",
        "/login",
    )
    (code,) = parse_qs(link.query)["code"]
    expires, nonce, _ = code.split(".")
    assert 55 < int(expires) - time.time() <= 60
    assert code == login_code("s3cret", int(expires), nonce)
    assert "s3cret" not in done.out + done.err


def test_every_link_is_another(opsctl: Opsctl) -> None:
    assert opsctl("open", "daily").out != opsctl("open", "daily").out


def test_with_a_display_a_browser_opens(opsctl: Opsctl, opened: list[str]) -> None:
    done = opsctl("open", "daily")
    assert (done.code, done.out) == (0, "")
    assert len(opened) == 1
    assert "/login?code=" in opened[0]


def test_print_starts_no_browser(opsctl: Opsctl, opened: list[str]) -> None:
    done = opsctl("open", "daily", "--print")
    assert "/login?code=" in done.out
    assert opened == []


def test_json_starts_no_browser(opsctl: Opsctl, opened: list[str]) -> None:
    done = opsctl("open", "daily", "--output", "json")
    assert set(done.json) == {"environment", "address", "expires"}
    assert opened == []


def test_a_desk_that_does_not_listen_is_said(opsctl: Opsctl, target: FakeTarget) -> None:
    target.host.port = 1
    done = opsctl("open", "daily")
    assert done.code == 1
    assert "does not listen on 127.0.0.1:1" in done.err
    assert "opsctl status daily" in done.err


def test_what_is_not_deployed_has_no_dashboard(opsctl: Opsctl) -> None:
    opsctl("destroy", "daily", "--yes")
    done = opsctl("open", "daily")
    assert (done.code, "not deployed" in done.err) == (2, True)
