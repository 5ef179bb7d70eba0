"""Sites on two hosts, one of them behind ssh: deployed, drilled, and lost."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import ssl
import subprocess
from pathlib import Path

import httpx
import pytest
from docker import DockerClient

from opsctl.model.hosts import PORT
from opsctl.provision import draining
from opsctl.provision.inventory import BoxHost
from opsctl.provision.standing import environments
from opsctl.targets.docker import naming
from tests.e2e.conftest import OPSCTL, Deployed
from tests.e2e.hosts.conftest import HANDED_OVER_S, led_by
from tests.support.second_host import FAR, NEAR, SecondHost, key
from tests.support.servers import wait_for


def places(engine: DockerClient) -> set[str]:
    found = engine.containers.list(all=True, filters={"label": naming.SERVICE})
    return {c.labels[naming.SERVICE].partition("@")[2] for c in found}


def test_each_site_is_on_its_host_and_nothing_is_a_rehearsal(
    apart: Deployed, engines: tuple[DockerClient, DockerClient]
) -> None:
    here, there = engines
    assert places(here) == {"a", "witness", "market", "between-a"}
    assert places(there) == {"b", "between-b"}
    assert apart.json("env", "show", "apart")["rehearsal"] == ""
    status = apart.json("status", "apart")
    assert status["verdict"] == "healthy"
    memory = {f"{s['name']}@{s['site']}": s["rss_bytes"] for s in status["services"]}
    assert memory["execution@b"] > 10_000_000  # told by the other host


def test_one_port_of_a_host_is_open_to_others_and_takes_a_certificate(
    apart: Deployed, engines: tuple[DockerClient, DockerClient], tmp_path: Path
) -> None:
    published = {
        (binding["HostIp"], binding["HostPort"])
        for engine in engines
        for one in engine.containers.list(filters={"label": f"{naming.ENVIRONMENT}=apart"})
        for bindings in one.attrs["NetworkSettings"]["Ports"].values()
        for binding in bindings or ()
    }
    assert published == {(NEAR, str(PORT)), (FAR, str(PORT))}
    pems = tmp_path / "tls"
    pems.mkdir()
    for name, text in apart.secrets().items():
        if name.startswith("tls/"):
            (tmp_path / name).write_text(text)

    def answer(name: str = "") -> bytes:
        tls = ssl.create_default_context(cafile=str(pems / "ca.crt"))
        if name:
            tls.load_cert_chain(pems / f"{name}.crt", pems / f"{name}.key")
        with contextlib.suppress(ssl.SSLError, ConnectionError):
            raw = socket.create_connection((FAR, PORT), 5)
            with tls.wrap_socket(raw, server_hostname="relay-b") as line:
                line.sendall(b"CONNECT a-b-peer HTTP/1.1\r\n\r\n")
                return line.recv(100)
        return b""

    assert b" 200 " in answer("relay-a")
    assert answer() == b""
    assert b" 403 " in answer("journal")
    with socket.create_connection((FAR, PORT), 5) as plain:
        plain.sendall(b"CONNECT a-b-peer HTTP/1.1\r\n\r\n")
        with contextlib.suppress(ConnectionError):
            assert b"HTTP" not in plain.recv(100)


def test_deploying_again_changes_nothing(apart: Deployed) -> None:
    assert not apart.json("deploy", "apart")["changed"]


def test_logs_of_both_hosts_are_one_stream(apart: Deployed) -> None:
    lines = apart.run("logs", "apart", "execution").stdout
    assert " execution@a " in lines
    assert " execution@b " in lines


def test_the_dashboard_of_another_host_is_seen_while_the_command_runs(apart: Deployed) -> None:
    opened = subprocess.Popen(
        # A suite that runs in the background of a shell was told to ignore it, and so its children.
        ["env", "--default-signal=INT", OPSCTL, "open", "apart", "--print"],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        env={**os.environ, "OPSCTL_STATE": str(apart.state)},
    )
    with opened:
        assert opened.stdout is not None
        try:
            link = opened.stdout.readline().strip()
            answer = httpx.get(link, trust_env=False)
        finally:
            opened.send_signal(signal.SIGINT)
    assert answer.status_code == 200
    assert "<html" in answer.text
    assert opened.returncode == 0


@pytest.mark.parametrize(
    ("known", "message"),
    [("", "is not known here"), ("another", "is not the one that is known")],
)
def test_a_host_that_is_not_the_one_that_is_known_is_not_spoken_to(
    apart: Deployed, other_host: SecondHost, tmp_path: Path, known: str, message: str
) -> None:
    other_host.known(key(tmp_path / "key") if known else "")
    try:
        done = apart.run("deploy", "apart", "--no-verify", check=False)
    finally:
        other_host.known(other_host.host_key)
    assert done.returncode == 1
    assert message in done.stderr
    assert "nothing was changed on any host" in done.stderr


def test_the_order_path_leaves_a_box_that_is_drained(apart: Deployed) -> None:
    wait_for(lambda: led_by(apart, "b"), "b to lead", HANDED_OVER_S)
    box = BoxHost(
        name="far",
        address=FAR,
        port=22,
        user="root",
        groups=("intraday",),
        tier=None,
        owner="",
        host_key="",
        profile="",
    )
    (done,) = draining.drain(box, environments(), lambda _: None)
    assert done.startswith("apart: site a leads epoch ")
    assert draining.drain(box, environments(), lambda _: None) == ("apart: site a leads, not b",)


def test_a_leader_on_the_other_host_is_killed_and_succeeded(apart: Deployed) -> None:
    wait_for(lambda: led_by(apart, "b"), "b to lead", HANDED_OVER_S)
    found = apart.json("drill", "run", "leader-kill", "apart", check=False)
    measured = found["measured"]
    assert (measured["orders_lost"], measured["orders_duplicated"]) == (0, 0), found["findings"]
    assert measured["positions_reconciled"]
    assert measured["orders_acknowledged"] > 100
    assert found["leader_before"] != found["leader_after"]
