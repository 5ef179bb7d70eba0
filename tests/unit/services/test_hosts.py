"""The catalogue of an environment on two hosts: a relay each, and what crosses between them."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from apps.core.settings import NetworkSettings
from opsctl.model.environment import Environment, TargetName
from opsctl.model.tiers import DrTier, LatencyTier
from opsctl.services.base import Address, Service
from opsctl.services.catalogue import services
from opsctl.targets.docker.addresses import Addresses
from opsctl.targets.docker.host import Inside

HERE = {"engine": "unix:///run/a.sock", "address": "10.0.2.9"}
THERE = {"engine": "ssh://ops@10.0.2.10", "port": 7401}


@pytest.fixture
def found(tmp_path: Path) -> dict[str, Service]:
    environment = Environment.model_validate(
        {
            "name": "x",
            "tier": LatencyTier.INTRADAY,
            "dr": DrTier.HOT,
            "target": TargetName.DOCKER,
            "hosts": {"a": HERE, "b": THERE, "witness": HERE},
        }
    )
    host = Inside(Addresses(tmp_path / "addresses.json", tuple), "00000000")
    return {s.key: s for s in services(environment, host)}


def carried(service: Service) -> dict[str, dict[str, Any]]:
    return dict(json.loads(service.environment["TRADING_LINKS"]))


def test_a_relay_carries_what_its_host_dials_and_lets_in_what_the_other_does(
    found: dict[str, Service],
) -> None:
    assert {key for key in found if key.startswith("network")} == {
        "network@between-a",
        "network@between-b",
    }
    here, there = carried(found["network@between-a"]), carried(found["network@between-b"])
    out = {name for name, link in here.items() if link.get("by")}
    entering = {name for name, link in there.items() if link.get("of")}
    assert (
        out
        == entering
        == {name for name in here if name.split("-")[0] != "b" and name.split("-")[1] == "b"}
    )
    for name in out:
        assert (here[name]["to"], here[name]["by"]) == ("10.0.2.10:7401", "relay-b")
        assert (there[name]["asked"], there[name]["of"]) == (name, "relay-a")
    # What stays on a host goes no further than to its end.
    assert "by" not in here["a-witness-journal"]
    venue = found["venue@market"]
    assert here["a-market-fix"]["to"] == f"{venue.probe.at.host}:{venue.ports['fix']}"


def test_a_relay_publishes_one_port_and_holds_its_own_certificate_alone(
    found: dict[str, Service],
) -> None:
    published = {key: s.published for key, s in found.items() if s.published}
    assert published == {
        "network@between-a": {"door": Address(host="10.0.2.9", port=7400)},
        "network@between-b": {"door": Address(host="10.0.2.10", port=7401)},
    }
    secrets = found["network@between-b"].secrets
    assert {"tls/relay-b.crt", "tls/relay-b.key", "tls/ca.crt"} <= set(secrets)
    assert not [name for name in secrets if "relay-a" in name]
    settings = NetworkSettings.from_environment(found["network@between-b"].environment)
    assert str(settings.tls_key_file).endswith("tls/relay-b.key")


def test_a_site_is_told_addresses_of_its_own_place_alone(found: dict[str, Service]) -> None:
    settings = json.loads(found["execution@b"].environment["TRADING_JOURNAL_ENDPOINTS"])
    own = found["etcd@b"].probe.at.host.rpartition(".")[0]
    assert {at.rpartition(":")[0].rpartition(".")[0] for at in settings} == {own}


def test_prometheus_scrapes_what_is_on_its_own_host(found: dict[str, Service]) -> None:
    def jobs(site: str) -> str:
        return found[f"prometheus@{site}"].files[0].content

    assert "etcd@witness" in jobs("a")
    assert "network@between-a" in jobs("a")
    assert "network@between-a" not in jobs("b")
    assert "etcd@witness" not in jobs("b")


def test_the_way_to_an_address_is_no_part_of_what_a_service_is(found: dict[str, Service]) -> None:
    service = found["etcd@b"]
    at = service.probe.at.model_copy(update={"via": object()})
    reached = service.model_copy(update={"probe": service.probe.model_copy(update={"at": at})})
    assert reached.digest() == service.digest()
    assert "via" not in reached.model_dump_json()
    assert reached.probe.at == service.probe.at
