from __future__ import annotations

import os
import re
from typing import Any

import jsonschema
import pytest

from apps.core.settings import APPS, PREFIX
from opsctl.errors import UsageError
from opsctl.model.environment import Environment
from opsctl.services.base import Host, Scrape, Service
from opsctl.services.catalogue import services
from tests.support.plain_host import PlainHost

REFERENCE = re.compile(r"\{\{(?:secret|bcrypt):([^}]+)\}\}")


def environment(**more: Any) -> Environment:
    return Environment.model_validate({"name": "daily", "tier": "daily", "dr": "cold", **more})


def made(**more: Any) -> dict[str, Service]:
    return {s.key: s for s in services(environment(**more), PlainHost())}


def hot(**more: Any) -> dict[str, Service]:
    chosen = {"name": "intraday", "tier": "intraday", "dr": "hot", **more}
    return {s.key: s for s in services(Environment.model_validate(chosen), PlainHost())}


def settings_of(service: Service) -> dict[str, str]:
    return {k: v for k, v in service.environment.items() if k.startswith(PREFIX)}


def test_a_cold_environment_has_one_site_and_the_venue_outside_of_it() -> None:
    names = (
        *("postgres", "valkey", "etcd", "seaweedfs", "prometheus", "alertmanager"),
        *("data", "strategy", "execution", "projector", "desk"),
    )
    assert set(made()) == {"venue@market", *(f"{name}@a" for name in names)}


def test_a_host_is_what_the_catalogue_asks_for() -> None:
    host: Host = PlainHost()
    assert services(environment(), host)


def test_a_hot_environment_has_two_sites_a_witness_and_a_network_between() -> None:
    names = (
        *("postgres", "valkey", "etcd", "prometheus", "alertmanager"),
        *("data", "strategy", "execution", "projector", "desk"),
    )
    sites = {f"{name}@{site}" for name in names for site in ("a", "b")}
    shared = {"venue@market", "network@between", "etcd@witness", "seaweedfs@a"}
    assert set(hot()) == sites | shared


def test_every_app_of_the_platform_is_in_the_catalogue() -> None:
    assert {s.name for s in hot().values() if s.kind == "app"} == set(APPS)
    assert {s.name for s in made().values() if s.kind == "app"} == set(APPS) - {"network"}


@pytest.mark.parametrize("name", sorted(APPS))
def test_an_app_reads_back_exactly_what_the_catalogue_chose(
    name: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The variables pass the schema that `--describe` prints, and parse to the same settings."""
    service = next(s for s in hot().values() if s.name == name)
    for variable in [v for v in os.environ if v.startswith(PREFIX)]:
        monkeypatch.delenv(variable)
    for variable, value in settings_of(service).items():
        monkeypatch.setenv(variable, value)
    read = APPS[name].model_validate(APPS[name]().model_dump())
    assert read.to_environment() == settings_of(service)
    jsonschema.validate(
        read.model_dump(mode="json", exclude_none=True), APPS[name].model_json_schema()
    )


@pytest.mark.parametrize("name", sorted(APPS))
def test_no_variable_of_an_app_is_unknown_to_it(name: str) -> None:
    service = next(s for s in hot().values() if s.name == name)
    known = {f"{PREFIX}{field}".upper() for field in APPS[name].model_fields}
    assert set(settings_of(service)) <= known


def test_what_the_environment_says_reaches_the_apps() -> None:
    chosen = made(
        limits={"max_order_notional_usd": "1234.50", "price_collar_bps": 77},
        replay={"start": "2015-06-01", "day_s": "0.5", "seed": 42},
        strategy={"parameters": {"lookback": 120}, "capital_usd": "5000000"},
        venue={"duplicate_check": "session"},
        log_level="debug",
        settings={"execution": {"detection_ms": 40, "log_level": "error"}},
    )
    execution = chosen["execution@a"].environment
    assert execution["TRADING_MAX_ORDER_NOTIONAL_USD"] == "1234.50"
    assert execution["TRADING_PRICE_COLLAR_BPS"] == "77"
    assert execution["TRADING_DETECTION_MS"] == "40"
    assert execution["TRADING_LOG_LEVEL"] == "error"
    assert execution["TRADING_DUPLICATE_CHECK"] == "session"
    assert chosen["data@a"].environment["TRADING_HISTORY_UNTIL"] == "2015-06-01"
    assert chosen["data@a"].environment["TRADING_LOG_LEVEL"] == "debug"
    venue = chosen["venue@market"].environment
    assert (venue["TRADING_DAY_S"], venue["TRADING_SEED"]) == ("0.5", "42")
    strategy = chosen["strategy@a"].environment
    assert strategy["TRADING_PARAMETERS"] == '{"lookback": 120}'
    assert strategy["TRADING_CAPITAL_USD"] == "5000000"


def test_a_venue_that_evicts_has_a_port_behind_its_front() -> None:
    refusing = made()["venue@market"]
    assert "TRADING_FIX_INNER_PORT" not in refusing.environment
    assert set(refusing.ports) >= {"fix"}
    venue = made(venue={"second_logon": "evict", "sessions": "single"})["venue@market"]
    assert venue.environment["TRADING_FIX_INNER_PORT"] == str(venue.ports["fix-inner"])
    assert venue.ports["fix-inner"] != venue.ports["fix"]
    assert venue.environment["TRADING_SESSIONS"] == "single"


def test_a_setting_that_an_app_does_not_have_is_refused_by_name() -> None:
    with pytest.raises(UsageError) as refused:
        made(settings={"execution": {"detection_msec": 40, "http_port": 80, "detection_ms": 0}})
    assert [line.split(": ")[0] for line in refused.value.details] == [
        "trading:settings.execution.detection_msec",
        "trading:settings.execution.http_port",
        "trading:settings.execution.detection_ms",
    ]
    assert "detection_ms" in refused.value.hint


@pytest.mark.parametrize("app", sorted(APPS))
def test_a_setting_of_one_app_changes_that_app_alone(app: str) -> None:
    before, after = hot(), hot(settings={app: {"log_level": "warning"}})
    changed = {key for key in before if before[key].digest() != after[key].digest()}
    assert {key.partition("@")[0] for key in changed} == {app}


def test_the_same_environment_gives_the_same_digests() -> None:
    first, second = made(), made()
    assert {k: s.digest() for k, s in first.items()} == {k: s.digest() for k, s in second.items()}


def test_another_release_is_another_app_and_the_same_server(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    before = hot()
    monkeypatch.setattr("opsctl.services.app.__version__", "99.0.0")
    after = hot()
    differs = {key for key in before if before[key].digest() != after[key].digest()}
    assert differs == {key for key, service in before.items() if service.kind == "app"}


def test_every_wait_names_a_service_of_the_same_environment() -> None:
    for found in (made(), hot()):
        for service in found.values():
            for name in service.waits:
                assert (name if "@" in name else f"{name}@{service.site}") in found


@pytest.mark.parametrize("dr", ["cold", "hot"])
def test_no_port_serves_twice_and_none_is_left_out(dr: str) -> None:
    host = PlainHost()
    found = services(environment(dr=dr), host)
    ports = [port for service in found for port in service.ports.values()]
    assert len(ports) == len(set(ports))
    assert set(host.known.values()) <= set(ports)


def test_every_secret_that_a_service_uses_is_declared() -> None:
    for service in (*made().values(), *hot().values()):
        used = {
            found
            for file in service.files
            for found in REFERENCE.findall(file.content) + _paths(file.content)
        }
        used |= {name for step in service.setup for name in REFERENCE.findall(step.stdin)}
        used |= {name for word in service.argv for name in _paths(word)}
        used |= {name for value in service.environment.values() for name in _paths(value)}
        for holder in (service.probe, service.scrape):
            names = ("secret", "access_key", "ca", "cert", "key")
            used |= {value for n in names if (value := getattr(holder, n, None))}
        assert used <= set(service.secrets), service.key


def _paths(text: str) -> list[str]:
    return re.findall(r"/state/secrets/([a-z0-9/.-]+)", text)


def test_no_server_listens_beyond_loopback() -> None:
    for service in (*made().values(), *hot().values()):
        text = "\n".join((*service.argv, *(f.content for f in service.files)))
        assert "0.0.0.0" not in text
        assert "localhost" not in text
        if service.kind == "server":
            assert "127.0.0.1" in text, service.key


def test_what_can_be_scraped_opens_with_a_secret() -> None:
    scraped = {s.name: s.scrape for s in hot().values() if s.scrape}
    assert set(scraped) == {*APPS, "etcd", "prometheus", "alertmanager"}
    assert all(isinstance(scrape, Scrape) and scrape.secret for scrape in scraped.values())
