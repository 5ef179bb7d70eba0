"""Our half of HTTP/2 against the independent implementation of hyper-h2 as the server."""

from __future__ import annotations

from typing import Any

import h2.config
import h2.connection
import h2.events
import h2.settings
import hpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from apps.core import http2
from apps.core.http2 import Connection, Data, GoAway, Headers, Pong, Reset

HEAD = http2.head_of("/journal.KV/Txn", "etcd-a:2379", {"content-type": "application/grpc"})


class Server:
    """hyper-h2 as a server that echoes what it is asked, and remembers it."""

    def __init__(self, **settings: int) -> None:
        self.wire = h2.connection.H2Connection(h2.config.H2Configuration(client_side=False))
        self.wire.initiate_connection()
        if settings:
            codes: dict[h2.settings.SettingCodes | int, int] = {
                h2.settings.SettingCodes[name.upper()]: n for name, n in settings.items()
            }
            self.wire.update_settings(codes)
        self.bodies: dict[int, bytes] = {}
        self.heads: dict[int, dict[Any, Any]] = {}
        self.resets: list[int] = []
        self.ended: list[int] = []
        self.waiting: dict[int, bytes] = {}

    def hear(self, data: bytes) -> None:
        for event in self.wire.receive_data(data):
            match event:
                case h2.events.RequestReceived():
                    assert event.stream_id is not None
                    assert event.headers is not None
                    self.heads[event.stream_id] = dict(event.headers)
                    self.bodies[event.stream_id] = b""
                case h2.events.DataReceived():
                    assert event.stream_id is not None
                    self.bodies[event.stream_id] += event.data or b""
                    size = event.flow_controlled_length or 0
                    self.wire.acknowledge_received_data(size, event.stream_id)
                case h2.events.StreamEnded():
                    assert event.stream_id is not None
                    self.ended.append(event.stream_id)
                case h2.events.StreamReset():
                    assert event.stream_id is not None
                    self.resets.append(event.stream_id)
                case _:
                    pass

    def answer(
        self, stream: int, body: bytes, *, pad: int | None = None, trailer: str = "0"
    ) -> None:
        self.wire.send_headers(stream, [(":status", "200"), ("x-long", "v" * 40)])
        for at in range(0, len(body), 9_000):
            self.wire.send_data(stream, body[at : at + 9_000], pad_length=pad)
        self.wire.send_headers(stream, [("grpc-status", "0")], end_stream=True)


def exchange(client: Connection, server: Server, cut: int = 1 << 30) -> list[Any]:
    """Carry bytes both ways, in pieces, until both are silent; return what the client heard."""
    heard: list[Any] = []
    while True:
        out, back = client.pending(), server.wire.data_to_send()
        if not out and not back:
            return heard
        for at in range(0, len(out), cut):
            server.hear(out[at : at + cut])
        for at in range(0, len(back), cut):
            heard += client.receive(back[at : at + cut])


def fields(block: bytes) -> dict[str, str]:
    decoder = hpack.Decoder()
    decoder.header_table_size = 0
    return {str(name): str(value) for name, value in decoder.decode(block)}


@given(
    bodies=st.lists(st.integers(0, 200_000), min_size=1, max_size=4),
    window=st.sampled_from([1, 1_000, 65_535, 1_000_000]),
    frame=st.sampled_from([16_384, 100_000]),
    cut=st.sampled_from([1 << 30, 5_000, 37]),
    pad=st.sampled_from([None, 0, 200]),
)
@settings(max_examples=40)
def test_requests_of_any_size_arrive_whole_under_any_window(
    bodies: list[int], window: int, frame: int, cut: int, pad: int | None
) -> None:
    if window == 1:
        bodies = [size % 200 for size in bodies]
    client, server = Connection(), Server(initial_window_size=window, max_frame_size=frame)
    if window < 65_535:  # hyper-h2 gives no room again that it took away from under a body
        exchange(client, server, cut)
    sent = {}
    for number, size in enumerate(bodies):
        body = bytes([number]) * size
        sent[client.request(HEAD, body)] = body
    exchange(client, server, cut)
    assert server.bodies == sent
    assert server.ended == sorted(sent, key=server.ended.index)
    assert set(server.ended) == set(sent)
    for stream, body in sent.items():
        server.answer(stream, body, pad=pad)
    heard = exchange(client, server, cut)
    got = dict.fromkeys(sent, b"")
    for event in heard:
        if isinstance(event, Data):
            got[event.stream] += event.payload
    assert got == sent
    ends = [event for event in heard if isinstance(event, Headers) and event.end]
    assert [fields(event.block) for event in ends] == [{"grpc-status": "0"}] * len(sent)
    assert client.open == 0


def test_the_head_says_what_was_asked() -> None:
    client, server = Connection(), Server()
    stream = client.request(HEAD, b"")
    exchange(client, server)
    assert server.heads[stream] == {
        b":method": b"POST",
        b":scheme": b"https",
        b":path": b"/journal.KV/Txn",
        b":authority": b"etcd-a:2379",
        b"content-type": b"application/grpc",
    }


def test_a_half_open_request_is_not_ended_until_it_is_cancelled() -> None:
    client, server = Connection(), Server()
    stream = client.request(HEAD, b"watch", half_open=True)
    exchange(client, server)
    assert (server.bodies, server.ended) == ({stream: b"watch"}, [])
    server.wire.send_headers(stream, [(":status", "200")])
    server.wire.send_data(stream, b"changed")
    assert Data(stream, b"changed", False) in exchange(client, server)
    client.cancel(stream)
    exchange(client, server)
    assert server.resets == [stream]
    assert client.open == 0


def test_what_comes_of_a_cancelled_stream_is_ignored() -> None:
    client, server = Connection(), Server()
    stream = client.request(HEAD, b"late")
    exchange(client, server)
    server.answer(stream, b"too late")
    client.cancel(stream)
    heard = list(client.receive(server.wire.data_to_send()))
    assert not [event for event in heard if isinstance(event, Data | Headers)]


def test_more_is_read_than_any_window_holds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(http2, "TOP_UP", 100_000)
    monkeypatch.setattr(http2, "LARGEST_WINDOW", 200_000)
    client, server = Connection(), Server()
    stream = client.request(HEAD, b"", half_open=True)
    exchange(client, server)
    server.wire.send_headers(stream, [(":status", "200")])
    for _ in range(60):
        server.wire.send_data(stream, bytes(16_384))
        exchange(client, server)


def test_headers_of_many_frames_are_one_block() -> None:
    client, server = Connection(), Server()
    stream = client.request(HEAD, b"")
    exchange(client, server)
    server.wire.send_headers(stream, [(":status", "200"), ("grpc-message", "~" * 40_000)])
    heard = [event for event in exchange(client, server, 1_000) if isinstance(event, Headers)]
    assert len(heard) == 1
    assert fields(heard[0].block)["grpc-message"] == "~" * 40_000


def test_pings_are_answered_and_pongs_heard() -> None:
    client, server = Connection(), Server()
    server.wire.ping(b"12345678")
    client.ping()
    assert Pong() in exchange(client, server)


def test_resets_and_going_away_are_told() -> None:
    client, server = Connection(), Server()
    stream = client.request(HEAD, b"")
    exchange(client, server)
    server.wire.reset_stream(stream, 11)
    assert Reset(stream, 11) in exchange(client, server)
    server.wire.close_connection(2, b"too many pings")
    told = [event for event in exchange(client, server) if isinstance(event, GoAway)]
    assert told == [GoAway(stream, 2, b"too many pings")]


@pytest.mark.parametrize(
    ("wrong", "why"),
    [
        (http2.frame(http2.DATA, 0, 1, bytes(20_000)), "a frame of 20000 bytes"),
        (http2.frame(http2.PUSH_PROMISE, 0, 1, bytes(4)), "a push"),
        (http2.frame(http2.CONTINUATION, 0, 1, b""), "a continuation of nothing"),
        (
            http2.frame(http2.HEADERS, 0, 1, b"") + http2.frame(http2.PING, 0, 0, bytes(8)),
            "not continued",
        ),
    ],
)
def test_a_server_that_breaks_the_protocol_is_found_out(wrong: bytes, why: str) -> None:
    client = Connection()
    client.request(HEAD, b"")
    with pytest.raises(http2.Faulty, match=why):
        list(client.receive(wrong))
