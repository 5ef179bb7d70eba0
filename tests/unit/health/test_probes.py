from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from opsctl.health import probes
from opsctl.services.base import Address, HttpProbe


@given(
    parts=st.lists(st.text(max_size=40), max_size=6),
    secret=st.text("0123456789abcdef", min_size=8, max_size=40),
)
def test_a_detail_is_one_bounded_line_without_the_secret(parts: list[str], secret: str) -> None:
    shown = probes._plain(f"\n{secret} ".join(parts), [secret])
    assert secret not in shown
    assert len(shown) <= probes.LONGEST_DETAIL
    assert len(shown.splitlines()) <= 1


def test_an_empty_secret_takes_nothing_out() -> None:
    assert probes._plain("refused", [""]) == "refused"


def test_reachable_says_whether_something_listens() -> None:
    import socket

    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = Address(host="127.0.0.1", port=int(listener.getsockname()[1]))
        assert probes.reachable(at)
    assert not probes.reachable(at)


def test_a_secret_that_cannot_be_read_is_unhealthy_and_no_exception() -> None:
    import socket

    def unreadable(name: str) -> str:
        raise PermissionError(13, "Permission denied", name)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        at = Address(host="127.0.0.1", port=int(listener.getsockname()[1]))
        result = probes.probe(HttpProbe(at=at, path="/", secret="http-token"), unreadable)
    assert not result.ok
    assert "http-token" in result.detail
