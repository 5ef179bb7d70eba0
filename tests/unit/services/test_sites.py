"""The services of an environment with two sites: who is reached where, and by which link."""

from __future__ import annotations

import json

import yaml

from opsctl.model.environment import Environment
from opsctl.model.topology import links
from opsctl.services.base import Service
from opsctl.services.catalogue import services
from tests.support.plain_host import PlainHost

HOT = Environment.model_validate(
    {"name": "intraday", "tier": "intraday", "dr": "hot", "detection_ms": 150}
)
HOST = PlainHost()
FOUND: dict[str, Service] = {s.key: s for s in services(HOT, HOST)}
CARRIED = json.loads(FOUND["network@between"].environment["TRADING_LINKS"])
MEMBERS = ("a", "b", "witness")


def setting(key: str, name: str) -> str:
    return FOUND[key].environment[f"TRADING_{name.upper()}"]


def at(service: str, port: str) -> str:
    name, _, site = service.partition("@")
    return str(HOST.address(name, site, port))


def option(member: str, name: str) -> str:
    words = FOUND[f"etcd@{member}"].argv
    (found,) = (word.partition("=")[2] for word in words if word.startswith(f"--{name}="))
    return found


def test_every_link_has_its_name_and_leads_where_it_says() -> None:
    assert set(CARRIED) == {
        *("a-b-etcd", "a-witness-etcd", "b-a-etcd", "b-witness-etcd"),
        *("witness-a-etcd", "witness-b-etcd"),
        *("a-b-journal", "a-witness-journal", "b-a-journal", "b-witness-journal"),
        *("a-b-peer", "b-a-peer", "a-market-fix", "b-market-fix"),
    }
    assert CARRIED["a-b-etcd"]["to"] == at("etcd@b", "peer")
    assert CARRIED["b-witness-journal"]["to"] == at("etcd@witness", "client")
    assert CARRIED["b-a-peer"]["to"] == at("execution@a", "peer")
    assert CARRIED["a-market-fix"]["to"] == at("venue@market", "fix")


def test_a_port_and_what_is_asked_of_it_are_one_link() -> None:
    entries = [(link["listen"], link["asked"]) for link in CARRIED.values()]
    assert len(entries) == len(set(entries))
    ports = {int(listen.rpartition(":")[2]) for listen, _ in entries}
    own = {FOUND["network@between"].ports["http"]}
    assert set(FOUND["network@between"].ports.values()) == ports | own
    assert {name for name, link in CARRIED.items() if link["asked"]} == {
        link.name for link in links(HOT) if link.kind == "etcd"
    }


def test_the_members_agree_on_one_cluster_and_dial_through_their_own_door() -> None:
    clusters = {option(member, "initial-cluster") for member in MEMBERS}
    assert clusters == {
        "a=https://etcd-a:2380,b=https://etcd-b:2380,witness=https://etcd-witness:2380"
    }
    for member in MEMBERS:
        service = FOUND[f"etcd@{member}"]
        own = f"{member}={option(member, 'initial-advertise-peer-urls')}"
        assert own in option(member, "initial-cluster").split(",")
        assert option(member, "listen-peer-urls") == f"https://{at(service.key, 'peer')}"
        assert option(member, "peer-cert-file").endswith(f"/tls/etcd-{member}.crt")
        mine = [n for n, link in CARRIED.items() if n.startswith(f"{member}-") and link["asked"]]
        doors = {CARRIED[name]["listen"] for name in mine}
        assert {f"http://{door}" for door in doors} == {service.environment["HTTPS_PROXY"]}
        assert option(member, "heartbeat-interval") == "20"
        assert option(member, "election-timeout") == "100"


def test_a_member_of_three_waits_for_the_network_and_for_no_other_member() -> None:
    assert {FOUND[f"etcd@{member}"].waits for member in MEMBERS} == {("network@between",)}


def test_a_site_asks_its_own_member_first_and_the_others_by_link() -> None:
    for app in ("execution", "projector"):
        assert json.loads(setting(f"{app}@b", "journal_endpoints")) == [
            at("etcd@b", "client"),
            CARRIED["b-a-journal"]["listen"],
            CARRIED["b-witness-journal"]["listen"],
        ]


def test_execution_knows_its_peers_by_link() -> None:
    assert json.loads(setting("execution@a", "sites")) == ["a", "b"]
    assert json.loads(setting("execution@a", "peers")) == {"b": CARRIED["a-b-peer"]["listen"]}
    host, port = setting("execution@a", "peer_host"), setting("execution@a", "peer_port")
    assert f"{host}:{port}" == at("execution@a", "peer") == CARRIED["b-a-peer"]["to"]
    assert setting("execution@b", "detection_ms") == "150"


def test_every_session_of_a_site_goes_through_its_link_to_the_venue() -> None:
    for site in ("a", "b"):
        for app in ("data", "execution"):
            key = f"{app}@{site}"
            found = f"{setting(key, 'fix_host')}:{setting(key, 'fix_port')}"
            assert found == CARRIED[f"{site}-market-fix"]["listen"]
            assert "network@between" in FOUND[key].waits
    assert json.loads(setting("venue@market", "sites")) == ["a", "b"]


def test_each_prometheus_scrapes_its_site_and_what_belongs_to_none() -> None:
    for site, other in (("a", "b"), ("b", "a")):
        (file,) = (f for f in FOUND[f"prometheus@{site}"].files if f.path == "prometheus.yml")
        jobs = {job["job_name"] for job in yaml.safe_load(file.content)["scrape_configs"]}
        assert {"venue@market", "network@between", "etcd@witness"} <= jobs
        assert {f"execution@{site}", f"prometheus@{site}", f"alertmanager@{site}"} <= jobs
        assert not [job for job in jobs if job.endswith(f"@{other}")]


def test_a_cold_environment_knows_of_no_other_site() -> None:
    cold = Environment.model_validate({"name": "daily", "tier": "daily", "dr": "cold"})
    assert links(cold) == ()
    found = {s.key: s for s in services(cold, PlainHost())}
    known = found["execution@a"].environment
    assert not {name for name in known if "PEER" in name or name.endswith("_SITES")}
    assert not {"HTTPS_PROXY", "NO_PROXY"} & set(found["etcd@a"].environment)
