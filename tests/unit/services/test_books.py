"""What services are told of books in their own PostgreSQL, and on a server of others."""

from __future__ import annotations

import json
from ipaddress import IPv4Address
from pathlib import Path
from typing import Any

import pytest

from opsctl.images.running import Runnable
from opsctl.model.environment import Environment
from opsctl.services import books
from opsctl.services.base import Address, Service
from opsctl.services.catalogue import services
from opsctl.targets.docker import fabric
from opsctl.targets.docker.addresses import Addresses
from opsctl.targets.docker.host import Inside
from opsctl.targets.docker.hosts import Hosts
from opsctl.targets.docker.spec import container
from opsctl.targets.docker.ways import Ways
from tests.support.plain_host import PlainHost

PEM = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
AT = {"host": "books.internal", "port": 5433, "ca": PEM}
READERS = ("data", "strategy", "projector", "desk")


def hot(host: PlainHost | None = None, **more: Any) -> dict[str, Service]:
    chosen = {"name": "intraday", "tier": "intraday", "dr": "hot", **more}
    return {s.key: s for s in services(Environment.model_validate(chosen), host or PlainHost())}


def test_no_site_runs_a_postgresql_whose_books_others_keep() -> None:
    host = PlainHost()  # one: its ports are chosen once
    own, others = hot(host), hot(host, books={"a": AT, "b": AT})
    assert set(own) - set(others) == {"postgres@a", "postgres@b"}
    for key, service in others.items():
        assert "postgres" not in service.waits, key
        # All it waits for is there; and what does not reach the books is the same service.
        assert all(f"{w}@{service.site}" in others or w in others for w in service.waits), key
        if service.name not in (*READERS, "prometheus"):
            assert service == own[key]


def test_every_app_that_reads_or_writes_the_books_reaches_them_by_tls() -> None:
    found = hot(books={"a": AT, "b": AT})
    for site in ("a", "b"):
        for name in READERS:
            service = found[f"{name}@{site}"]
            settings = service.environment
            assert settings["TRADING_DB_HOST"] == "books.internal"
            assert settings["TRADING_DB_PORT"] == "5433"
            assert settings["TRADING_DB_NAME"] == f"intraday_{site}"
            assert settings["TRADING_DB_USER"] == f"intraday_{site}"
            (file,) = service.files
            assert settings["TRADING_DB_CA_FILE"] == f"/state/config/{name}@{site}/{file.path}"
            assert file.content == PEM
            assert "db" in service.secrets


def test_with_books_of_its_own_an_app_asks_for_no_tls() -> None:
    for key, service in hot().items():
        assert "TRADING_DB_CA_FILE" not in service.environment, key
        assert service.kind == "server" or service.files == (), key
        assert service.books is None, key


def test_the_books_of_each_site_are_found_wherever_they_are() -> None:
    own = books.probes(hot().values())
    assert {site: at.database for site, at in own.items()} == {"a": "trading", "b": "trading"}
    assert {at.ca for at in own.values()} == {""}
    others = books.probes(hot(books={"a": AT, "b": AT}).values())
    assert {site: at.database for site, at in others.items()} == {
        "a": "intraday_a",
        "b": "intraday_b",
    }
    assert {(str(at.at), at.ca, at.secret) for at in others.values()} == {
        ("books.internal:5433", PEM, "db")
    }


HERE = {"engine": "ssh://ops@10.0.2.9"}
APART = {"a": HERE, "witness": HERE, "b": "ssh://ops@10.0.2.10"}


@pytest.fixture
def addresses(tmp_path: Path) -> Addresses:
    return Addresses(tmp_path / "addresses.json", tuple)


def contained(addresses: Addresses, **more: Any) -> dict[str, Service]:
    chosen = {"name": "x", "tier": "daily", "dr": "cold", "target": "docker", **more}
    made = services(Environment.model_validate(chosen), Inside(addresses, "identity"))
    return {s.key: s for s in made}


def carried(service: Service) -> dict[str, dict[str, str]]:
    return dict(json.loads(service.environment["TRADING_LINKS"]))


def test_containers_of_a_site_reach_books_outside_by_one_link(addresses: Addresses) -> None:
    found = contained(addresses, books={"a": AT})
    (link,) = carried(found["network@between"]).items()
    assert link == ("a-outside-books", {**link[1], "to": "books.internal:5433"})
    host, _, port = link[1]["listen"].rpartition(":")
    assert IPv4Address(host) in addresses.network("a")
    for name in READERS:
        service = found[f"{name}@a"]
        said = {key: service.environment[key] for key in ("TRADING_DB_HOST", "TRADING_DB_PORT")}
        # Its name is what it has to prove, wherever the way to it begins.
        assert said == {"TRADING_DB_HOST": "books.internal", "TRADING_DB_PORT": port}
        assert service.environment["PGHOSTADDR"] == host
        assert "network@between" in service.waits
    led = {key for key, service in found.items() if "PGHOSTADDR" in service.environment}
    assert led == {f"{name}@a" for name in READERS}


def test_what_carries_the_link_is_alone_in_the_network_that_leads_outside(
    addresses: Addresses,
) -> None:
    def ways_out(**more: Any) -> set[tuple[str, str]]:
        made = list(contained(addresses, **more).values())
        image = Runnable(
            service="network", image="network", reference="python", user="10001", own=True
        )
        _, networks, _ = fabric.of("x", "identity", made, addresses.network, image)
        places = {service.site: addresses.network(service.site) for service in made}
        return {
            (service.key, network.name)
            for service in made
            for network in networks
            if not network.internal
            and network.name
            in container(
                "x", "identity", service, 0, made, places, addresses.places_of(service.key)
            ).networks
        }

    assert ways_out() == ways_out(dr="hot") == set()
    assert ways_out(books={"a": AT}) == {("network@between", "opsctl-x-outside")}
    both = {"a": AT, "b": AT}
    assert ways_out(dr="hot", books=both) == {("network@between", "opsctl-x-outside")}


def test_on_several_hosts_each_has_the_way_of_its_own_site(addresses: Addresses) -> None:
    there = {**AT, "host": "other.internal"}
    found = contained(addresses, dr="hot", hosts=APART, books={"a": AT, "b": there})
    for site, at in (("a", "books.internal:5433"), ("b", "other.internal:5433")):
        relay = found[f"network@between-{site}"]
        books_links = {n: one for n, one in carried(relay).items() if n.endswith("-books")}
        assert {name: one["to"] for name, one in books_links.items()} == {
            f"{site}-outside-books": at
        }
        assert not any("by" in one for one in books_links.values())
        assert [str(one) for one in relay.reaches] == [at]
        host = found[f"projector@{site}"].environment["PGHOSTADDR"]
        assert IPv4Address(host) in addresses.network(site)


def test_opsctl_comes_to_the_books_from_the_host_of_their_site(addresses: Addresses) -> None:
    chosen: dict[str, Any] = {"dr": "hot", "hosts": APART, "books": {"a": AT, "b": AT}}
    environment = Environment.model_validate({"name": "x", "tier": "daily", **chosen})
    ways = Ways("x", Hosts(environment))
    reached = {key: ways.of(service) for key, service in contained(addresses, **chosen).items()}
    at = books.probes(reached.values())
    assert {site: one.at.via is not None for site, one in at.items()} == {"a": True, "b": True}
    assert at["a"].at == Address(host="books.internal", port=5433)
