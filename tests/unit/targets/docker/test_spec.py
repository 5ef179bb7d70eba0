"""A service as a container: attached where its configuration leads, reading what it names."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl import environments
from opsctl.model.environment import Environment, TargetName
from opsctl.services.base import Service
from opsctl.services.catalogue import services
from opsctl.targets.docker import naming
from opsctl.targets.docker.addresses import Addresses
from opsctl.targets.docker.host import Inside
from opsctl.targets.docker.spec import Container, container
from opsctl.targets.order import levels

IDENTITY = "00000000-0000-4000-8000-000000000000"


class Made:
    """The containers of an environment."""

    def __init__(self, name: str, home: Path) -> None:
        self.environment: Environment = environments.load(name).environment.model_copy(
            update={"target": TargetName.DOCKER}
        )
        self.addresses = Addresses(home / "addresses.json", tuple)
        self.services = {
            s.key: s for s in services(self.environment, Inside(self.addresses, IDENTITY))
        }

    def of(self, key: str) -> Container:
        """Return the container of a service."""
        every = tuple(self.services.values())
        return container(
            self.environment.name,
            IDENTITY,
            self.services[key],
            levels(self.services)[key],
            every,
            {site: self.addresses.network(site) for site in {s.site for s in every}},
            self.addresses.places_of(key),
        )

    def places(self, key: str) -> set[str]:
        """Return the places whose networks a container is attached to."""
        sites = {s.site for s in self.services.values()}
        attached = set(self.of(key).networks)
        return {s for s in sites if naming.network(self.environment.name, s) in attached}


@pytest.fixture
def hot(tmp_path: Path) -> Made:
    return Made("intraday", tmp_path)


def test_what_trades_is_in_the_network_of_its_site_alone(hot: Made) -> None:
    for name in ("data", "strategy", "execution", "valkey", "postgres", "etcd"):
        for site in ("a", "b"):
            assert hot.places(f"{name}@{site}") == {site}, name
    assert hot.places("etcd@witness") == {"witness"}


def test_what_carries_the_links_is_in_every_place_at_a_fixed_address(hot: Made) -> None:
    spec = hot.of("network@between")
    assert hot.places("network@between") == {"between", "a", "b", "witness", "market"}
    for place in ("between", "a", "b", "witness"):
        assert spec.networks[naming.network("intraday", place)]
    # To the market it only dials: any address there will do.
    assert spec.networks[naming.network("intraday", "market")] == ""


def test_prometheus_reaches_what_it_scrapes(hot: Made) -> None:
    assert hot.places("prometheus@a") == {"a", "between", "market", "witness"}


def test_alone_a_site_dials_the_venue_itself(tmp_path: Path) -> None:
    assert Made("daily", tmp_path).places("execution@a") == {"a", "market"}


def test_who_reads_what_left_the_journal_has_it_to_read_only(hot: Made) -> None:
    mounts = {m.path: m for m in hot.of("projector@a").mounts}
    assert mounts["/data/execution@a"].read_only
    assert not mounts["/data/projector@a"].read_only
    own = {m.path: m for m in hot.of("execution@a").mounts}
    assert not own["/data/execution@a"].read_only
    assert mounts["/data/execution@a"].volume == own["/data/execution@a"].volume
    assert all("@b" not in path for path in mounts)


def test_no_secret_is_in_what_an_engine_is_told(hot: Made) -> None:
    for key in hot.services:
        said = hot.of(key).model_dump_json()
        assert "{{secret:" not in said
        assert "{{bcrypt:" not in said


def test_a_change_of_a_setting_or_an_image_shows_in_the_label(hot: Made) -> None:
    def label(service: Service) -> str:
        return naming.of_service("intraday", IDENTITY, service, 1)[naming.MADE_FROM]

    one = hot.services["data@a"]
    assert label(one) != label(one.model_copy(update={"image": "sha256:other"}))
    assert label(one) != label(one.model_copy(update={"environment": {"A": "b"}}))
    assert label(one) == label(one.model_copy())


def test_what_is_off_the_order_path_stands_back(hot: Made) -> None:
    assert hot.of("projector@a").shares < hot.of("execution@a").shares
