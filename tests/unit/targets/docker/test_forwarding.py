"""What a host's gate is asked for, and what this machine reaches by itself."""

from __future__ import annotations

import socket

import pytest

from opsctl.targets.docker import forwarding
from opsctl.targets.docker.forwarding import local


@pytest.fixture
def bound(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """The addresses that were looked for on this machine, which has them all."""
    asked: list[str] = []

    class FakeSocket(socket.socket):
        def bind(self, address: tuple[str, int]) -> None:  # type: ignore[override]
            asked.append(address[0])

    monkeypatch.setattr(f"{forwarding.__name__}.socket.socket", FakeSocket)
    return asked


def test_a_container_is_here_where_the_bridge_of_its_network_is(bound: list[str]) -> None:
    assert local("10.219.4.70")
    assert bound == ["10.219.4.65"]


@pytest.mark.parametrize("host", ["books.example.internal", "10.0.2.9", "127.0.0.1"])
def test_what_is_no_container_is_reached_from_where_the_gate_is(
    bound: list[str], host: str
) -> None:
    assert not local(host)
    assert bound == []
