"""Which host each place of an environment is on, and what cannot be said of hosts."""

from __future__ import annotations

import pytest
from pydantic import ValidationError

from opsctl.model import documents, files
from opsctl.model.environment import Environment, TargetName
from opsctl.model.feasibility import failure_domains, rehearsal
from opsctl.model.hosts import At, Way, apart, host_of, hosts
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.model.topology import links, relay_of, relays

HERE, THERE = "unix:///run/a.sock", "ssh://ops@10.0.2.10"


def made(dr: DrTier = DrTier.HOT, **named: object) -> Environment:
    return Environment.model_validate(
        {
            "name": "x",
            "tier": LatencyTier.INTRADAY,
            "dr": dr,
            "target": TargetName.DOCKER,
            "hosts": named,
        }
    )


A = {"engine": HERE, "address": "10.0.2.9"}


def faults(hosts: str, target: str = "docker") -> list[str]:
    text = (
        "config:\n  trading:format: 1\n  trading:tier: intraday\n"
        f"  trading:target: {target}\n  trading:hosts: {hosts}\n"
    )
    return [str(f) for f in files.assemble("x", [documents.parse("x", text)]).faults]


def test_without_a_word_every_place_is_on_one_host() -> None:
    (host,) = hosts(made())
    assert (host.engine, host.places) == ("", ("a", "b", "witness", "market"))
    assert not apart(made())
    assert relays(made()) == ("between",)


def test_places_on_one_engine_share_a_host_whatever_they_are() -> None:
    found = made(a=A, b=THERE, witness=THERE)
    first, second = hosts(found)
    assert (first.name, first.places, first.address) == ("a", ("a",), "10.0.2.9")
    assert (second.name, second.places) == ("b", ("b", "witness", "market"))
    assert (second.address, second.port, second.remote) == ("10.0.2.10", 7400, True)
    assert relays(found) == ("between-a", "between-b")
    assert relay_of(found, "witness") == "between-b"
    assert host_of(found, "between-b") == second


def test_the_venue_is_where_it_is_put_else_where_the_loss_of_a_site_does_not_take_it() -> None:
    assert host_of(made(a=A, b=A, witness=THERE), "market").name == "witness"
    assert host_of(made(a=A, b=THERE, market=A), "market").name == "a"
    assert host_of(made(DrTier.COLD, a=THERE), "market").name == "a"


def test_a_site_alone_reaches_a_venue_on_another_host_by_a_link() -> None:
    assert links(made(DrTier.COLD, a=THERE)) == ()
    apart_ = made(DrTier.COLD, a=A, market=THERE)
    assert [link.name for link in links(apart_)] == ["a-market-fix"]


def test_sites_on_engines_of_their_own_rehearse_nothing() -> None:
    found = made(a=A, b=THERE, witness=THERE)
    assert rehearsal(found) == ""
    assert failure_domains(found) == (HERE, THERE)
    shared = made(a=A, b=HERE, witness=THERE)
    assert "rehearsed here, not met" in rehearsal(shared)


@pytest.mark.parametrize(
    "engine",
    [
        "unix://relative",
        "ssh://",
        "ssh://-oProxyCommand=x",
        "ssh://ops:secret@host",
        "ssh://ops@host:0",
        "ssh://host?x=1",
        "http://host",
        "host",
    ],
)
def test_what_is_no_address_of_an_engine_is_refused(engine: str) -> None:
    with pytest.raises(ValidationError, match="must be the address of an engine"):
        At(engine=engine)


def test_an_engine_open_to_a_network_is_refused_and_the_way_named() -> None:
    with pytest.raises(ValidationError, match="write ssh://"):
        At(engine="tcp://10.0.0.1:2375")


@pytest.mark.parametrize("address", ["host", "0.0.0.0", "10.0.0", "::1"])
def test_what_no_host_can_be_reached_at_is_refused(address: str) -> None:
    with pytest.raises(ValidationError, match="must be an IPv4 address"):
        At(engine=HERE, address=address)


def test_a_file_is_told_every_fault_with_its_line() -> None:
    (wrong,) = faults("{c: 'ssh://h'}")
    assert "trading:hosts.c: is no place of this environment: a, b, witness, market" in wrong
    assert "line 5" in wrong
    (wrong,) = faults("{b: 'ssh://ops@10.0.2.10'}")
    assert "other hosts must reach the engine of this machine" in wrong
    (wrong,) = faults("{a: 'tcp://10.0.0.1:2375'}")
    assert "trading:hosts.a" in wrong
    assert "tcp:// is no way" in wrong
    (wrong,) = faults("{a: 'ssh://ops@10.0.2.10'}", "local")
    assert "hosts are of target docker" in wrong
    (wrong,) = faults("{a: 'ssh://ops@alpha', b: 'ssh://10.0.0.2', witness: 'ssh://10.0.0.2'}")
    assert "other hosts must reach ssh://ops@alpha" in wrong


def test_a_sound_file_may_give_an_engine_alone_or_more() -> None:
    address = "address: 10.0.2.9, port: 7500"
    assert (
        faults(
            f"{{a: {{engine: 'unix:///x', {address}}}, b: 'ssh://10.0.0.2', "
            "witness: 'ssh://10.0.0.2'}"
        )
        == []
    )


def test_how_ssh_comes_to_a_host_is_its_own() -> None:
    key, through = "ssh-ed25519 AAAA", "session-manager/i-0123456789abcdef0@eu-central-1"
    found = made(a=A, b={"engine": THERE, "host_key": key, "through": through}, witness=THERE)
    first, second = hosts(found)
    assert first.way == Way()
    assert second.way.host_key == key
    assert second.way.session == ("i-0123456789abcdef0", "eu-central-1")
    assert Way().session is None


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ("host_key: 'ssh-ed25519 AAAA opsctl; rm'", "host_key"),
        ("through: 'nc %h %p'", "through"),
        ("through: 'session-manager/i-0123456789abcdef0@eu west'", "through"),
    ],
)
def test_no_command_is_taken_for_a_way(said: str, problem: str) -> None:
    (fault,) = faults(f"{{b: {{engine: '{THERE}', {said}}}}}")
    assert problem in fault


def test_a_way_is_of_ssh() -> None:
    given = f"{{a: {{engine: '{HERE}', host_key: 'ssh-ed25519 AAAA'}}}}"
    assert any("are of an engine behind ssh://" in fault for fault in faults(given))
