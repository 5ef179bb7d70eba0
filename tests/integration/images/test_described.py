"""An image of a firm's own that breaks the contract of an app is refused before a deploy."""

from __future__ import annotations

from pathlib import Path

import pytest

from opsctl import environments
from opsctl.errors import UsageError
from opsctl.images.engine import connected
from opsctl.images.results import BuiltImage
from opsctl.services.base import Service
from opsctl.services.catalogue import services
from opsctl.targets.docker.addresses import Addresses
from opsctl.targets.docker.described import refuse_broken
from opsctl.targets.docker.host import Inside
from tests.integration.images.conftest import Engine

Built = dict[str, BuiltImage]


def strategy(home: Path, image: str, **settings: str) -> Service:
    """Return the strategy as an image of a firm's own is to run it, settings included."""
    environment = environments.load("daily").environment
    inside = Inside(Addresses(home / "addresses.json", tuple), "identity")
    (found,) = (s for s in services(environment, inside) if s.name == "strategy")
    variables = {**found.environment, **settings}
    return found.model_copy(update={"argv": (), "image": image, "environment": variables})


def faults(engine: Engine, service: Service) -> tuple[str, ...]:
    """Return what is refused; nothing where nothing is."""
    with connected(engine.address) as host:
        try:
            refuse_broken(host, "daily", [service])
        except UsageError as refused:
            return refused.details
        finally:
            assert engine.client.containers.list(all=True) == []
    return ()


def test_one_that_keeps_it_may_run(engine: Engine, built: Built, tmp_path: Path) -> None:
    assert faults(engine, strategy(tmp_path, built["strategy"].id)) == ()


def test_one_that_lacks_a_setting(engine: Engine, built: Built, tmp_path: Path) -> None:
    service = strategy(tmp_path, built["strategy"].id, TRADING_COLOUR="red")
    assert faults(engine, service) == ("strategy@a: --describe does not know colour",)


def test_one_that_refuses_a_value(engine: Engine, built: Built, tmp_path: Path) -> None:
    service = strategy(tmp_path, built["strategy"].id, TRADING_BUS_PORT="none")
    (fault,) = faults(engine, service)
    assert "refuses the running settings: bus_port" in fault


@pytest.mark.parametrize(
    ("image", "said"), [("valkey", "exits "), ("postgres", "prints no JSON: ")]
)
def test_one_that_is_no_app(
    engine: Engine, built: Built, tmp_path: Path, image: str, said: str
) -> None:
    (fault,) = faults(engine, strategy(tmp_path, built[image].id))
    assert fault.startswith(f"strategy@a: --describe {said}")
