from __future__ import annotations

import pytest

from apps.network.door import asked_name
from apps.network.faults import Faults, NoFaults, read


def test_what_is_left_out_is_as_it_should_be() -> None:
    assert read(b"{}") == Faults()
    assert read(b'{"cut": true}') == Faults(cut=True)
    assert read(b'{"drop": "from", "delay_ms": 5}') == Faults(drop="from", delay_ms=5)


@pytest.mark.parametrize(
    ("body", "why"),
    [
        (b"", "truncated"),
        (b"[]", "Expected `object`"),
        (b'{"cut": 1}', "`$.cut`"),
        (b'{"drop": "both"}', "`$.drop`"),
        (b'{"delay_ms": -1}', "`$.delay_ms`"),
        (b'{"delay_ms": 60001}', "`$.delay_ms`"),
        (b'{"delay_ms": 1.5}', "`$.delay_ms`"),
        (b'{"dealy_ms": 1}', "dealy_ms"),
        (b'{"bytes_per_s": -1}', "`$.bytes_per_s`"),
        (b'{"bytes_per_s": 99}', "0 or at least 100"),
    ],
)
def test_what_describes_no_faults_is_refused_by_name(body: bytes, why: str) -> None:
    with pytest.raises(NoFaults, match=why.replace("$", r"\$")):
        read(body)


def test_what_a_connect_asks_for() -> None:
    assert asked_name(b"CONNECT etcd-b:2380 HTTP/1.1\r\nHost: etcd-b:2380") == "etcd-b:2380"
    assert asked_name(b"GET / HTTP/1.1\r\nHost: x") == ""
    assert asked_name(b"CONNECT etcd-b:2380") == ""
    assert asked_name(b"\x16\x03\x01") == ""
