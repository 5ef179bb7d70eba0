"""What the servers' files say about safety: durability, authentication, bounds."""

from __future__ import annotations

import json
import tomllib
from typing import Any

import pytest
import yaml

from opsctl.model.environment import Environment
from opsctl.services.base import Service
from opsctl.services.catalogue import services
from tests.support.plain_host import PlainHost


def service(key: str, **more: Any) -> Service:
    environment = Environment.model_validate(
        {"name": "daily", "tier": "daily", "dr": "cold", **more}
    )
    return next(s for s in services(environment, PlainHost()) if s.key == key)


def file(of: Service, path: str) -> str:
    return next(f.content for f in of.files if f.path == path)


def test_postgres_keeps_what_it_confirmed_and_asks_for_a_password() -> None:
    postgres = service("postgres@a")
    config = dict(
        line.split(" = ") for line in file(postgres, "postgresql.conf").splitlines() if line
    )
    assert (config["fsync"], config["synchronous_commit"], config["full_page_writes"]) == (
        *("on", "on", "on"),
    )
    assert config["jit"] == "off"
    assert config["listen_addresses"] == "'127.0.0.1'"
    assert config["unix_socket_permissions"] == "0700"
    access = [line.split() for line in file(postgres, "pg_hba.conf").splitlines() if line[0] != "#"]
    assert {line[-1] for line in access if line[0] == "host"} == {"scram-sha-256"}
    assert {line[0] for line in access if line[-1] == "trust"} == {"local"}
    assert postgres.refuses_root
    assert postgres.stop_signal == "INT"  # fast: does not wait for clients


def test_the_role_of_the_apps_is_no_superuser_and_its_password_stays_out_of_the_log() -> None:
    _, database = service("postgres@a").setup
    first, second = database.stdin.splitlines()
    assert first.startswith("DO $$ BEGIN IF NOT EXISTS")
    assert "SUPERUSER" not in first
    assert "{{secret:db}}" in first
    assert second == "CREATE DATABASE trading OWNER trading;"


def test_a_half_made_cluster_is_cleared_and_a_made_one_never() -> None:
    initdb, database = service("postgres@a").setup
    assert initdb.clears == "/state/data/postgres@a/cluster"
    assert database.clears is None


def test_valkey_drops_nothing_and_asks_for_a_password() -> None:
    valkey = service("valkey@a")
    config = dict(line.split(" ", 1) for line in file(valkey, "valkey.conf").splitlines() if line)
    assert config["requirepass"] == "{{secret:bus}}"
    assert config["appendonly"] == "yes"
    assert config["maxmemory-policy"] == "noeviction"
    assert config["bind"] == "127.0.0.1"
    assert config["port"] == str(valkey.ports["bus"])


@pytest.mark.parametrize(
    ("tier", "heartbeat", "election"), [("intraday", 20, 100), ("daily", 100, 1000)]
)
def test_the_journal_is_as_quick_as_its_tier_asks(tier: str, heartbeat: int, election: int) -> None:
    argv = service("etcd@a", tier=tier).argv
    assert f"--heartbeat-interval={heartbeat}" in argv
    assert f"--election-timeout={election}" in argv


def test_the_journal_asks_clients_and_peers_for_certificates_and_never_compacts_itself() -> None:
    argv = service("etcd@a").argv
    assert {"--client-cert-auth", "--peer-client-cert-auth"} <= set(argv)
    assert not [word for word in argv if "http://" in word]
    assert "--auto-compaction-retention=0" in argv
    assert f"--quota-backend-bytes={4 * 1024**3}" in argv


def test_seaweedfs_closes_every_inner_port() -> None:
    seaweedfs = service("seaweedfs@a")
    security = tomllib.loads(file(seaweedfs, "security.toml"))
    assert security["grpc"]["ca"] == "/state/secrets/tls/ca.crt"
    for part in ("volume", "master", "filer", "s3"):
        assert security["grpc"][part]["cert"]
    for part in ("volume", "master", "filer"):
        assert security["https"][part]["ca"]  # asks the client for a certificate
    assert security["https"]["client"]["enabled"] is True
    signing = security["jwt"]
    assert len({signing[section]["key"] for section in ("signing", "filer_signing")}) == 2
    assert len({signing[section]["read"]["key"] for section in ("signing", "filer_signing")}) == 2
    options = dict(w[1:].split("=", 1) for w in seaweedfs.argv if w.startswith("-") and "=" in w)
    assert options["ip.bind"] == "127.0.0.1"
    assert "metricsPort" not in options
    assert {options[o] for o in options if o.endswith((".port", ".grpc"))} == {
        str(port) for port in seaweedfs.ports.values()
    }


def test_the_store_knows_one_identity_by_reference() -> None:
    (identity,) = json.loads(file(service("seaweedfs@a"), "s3.json"))["identities"]
    assert identity["credentials"] == [
        {"accessKey": "{{secret:s3-access}}", "secretKey": "{{secret:s3}}"}
    ]


def test_prometheus_scrapes_what_the_catalogue_says_and_nothing_else() -> None:
    prometheus = service("prometheus@a")
    config = yaml.safe_load(file(prometheus, "prometheus.yml"))
    jobs = {job["job_name"]: job for job in config["scrape_configs"]}
    assert {"venue@market", "data@a", "etcd@a", "prometheus@a", "alertmanager@a"} <= set(jobs)
    assert "postgres@a" not in jobs
    assert jobs["data@a"]["authorization"]["credentials_file"] == "/state/secrets/http-token"
    assert jobs["etcd@a"]["scheme"] == "https"
    assert jobs["etcd@a"]["tls_config"]["key_file"] == "/state/secrets/tls/journal.key"
    assert jobs["alertmanager@a"]["basic_auth"]["password_file"] == "/state/secrets/alertmanager"
    for name, job in jobs.items():
        labels = {r["target_label"]: r["replacement"] for r in job["relabel_configs"]}
        assert f"{labels['job']}@{labels['site']}" == name
        assert labels["environment"] == "daily"
    (manager,) = config["alerting"]["alertmanagers"]
    assert manager["basic_auth"]["username"] == "opsctl"
    assert {f.path for f in prometheus.files} >= {"rules/platform.yml", "rules/trading.yml"}


@pytest.mark.parametrize("name", ["prometheus", "alertmanager"])
def test_a_page_of_the_monitoring_asks_for_a_password(name: str) -> None:
    found = service(f"{name}@a")
    assert file(found, "web.yml") == f'basic_auth_users:\n  opsctl: "{{{{bcrypt:{name}}}}}"\n'
    assert any(word.startswith("--web.config.file=") for word in found.argv)
    assert f"--web.listen-address=127.0.0.1:{found.ports['http']}" in found.argv


def test_alerts_go_to_a_receiver_that_exists_and_gossip_is_off() -> None:
    found = service("alertmanager@a")
    config = yaml.safe_load(file(found, "alertmanager.yml"))
    assert config["route"]["receiver"] in {r["name"] for r in config["receivers"]}
    assert "--cluster.listen-address=" in found.argv
