"""The compose file says what containers are made from, and no secret."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from opsctl.images.running import Runnable
from opsctl.targets.docker import compose, fabric, naming
from tests.unit.targets.docker.test_spec import IDENTITY, Made


def image(name: str) -> Runnable:
    """Return an image of ours."""
    return Runnable(
        service=name,
        image=name,
        reference=f"sha256:{name}",
        user="10001:10001",
        python=("/usr/bin/python3.11",),
        healthcheck=("/usr/bin/python3.11", "probe.py"),
        own=True,
        revision="4b1d",
    )


def written(made: Made) -> Mapping[str, Any]:
    """Return the compose file of an environment, read again."""
    services = tuple(made.services.values())
    name = made.environment.name
    text = compose.text(
        name,
        {key: (service, made.of(key)) for key, service in made.services.items()},
        {service.name: image(service.name) for service in services},
        *fabric.of(name, IDENTITY, services, made.addresses.network, image("data")),
    )
    return dict(yaml.safe_load(text))


@pytest.fixture
def hot(tmp_path: Path) -> Made:
    return Made("intraday", tmp_path)


def test_every_service_every_keeper_network_and_volume_is_in_it(hot: Made) -> None:
    file = written(hot)
    keepers = {f"{place}-keeper" for place in ("a", "b", "witness", "between", "market")}
    services = {key.replace("@", "-") for key in hot.services}
    assert set(file["services"]) == services | keepers
    assert set(file["networks"]) == {
        naming.network("intraday", place) for place in ("a", "b", "witness", "between", "market")
    }
    mounted = {mount["source"] for each in file["services"].values() for mount in each["volumes"]}
    assert set(file["volumes"]) == mounted


def test_what_a_container_is_told_is_in_its_entry(hot: Made) -> None:
    made, said = hot.of("network@between"), written(hot)["services"]["network-between"]
    assert said["environment"] == made.environment
    assert said["labels"] == made.labels
    assert said["command"] == list(made.command)
    assert {n: a.get("ipv4_address", "") for n, a in said["networks"].items()} == made.networks
    assert said["stop_grace_period"] == f"{made.stop_within_s}s"
    assert said["healthcheck"] == {"test": ["CMD", "/usr/bin/python3.11", "probe.py"]}


def test_a_keeper_has_its_rights_and_neither_network_nor_probe(hot: Made) -> None:
    said = written(hot)["services"]["a-keeper"]
    assert said["network_mode"] == "none"
    assert "networks" not in said
    assert said["cap_add"] == ["CHOWN", "DAC_OVERRIDE", "FOWNER"]
    assert said["healthcheck"] == {"disable": True}


def test_configuration_is_shown_with_the_names_of_secrets(hot: Made) -> None:
    beside = written(hot)["services"]["valkey-a"]["x-opsctl"]
    assert beside["secrets"] == ["bus"]
    assert any("{{secret:bus}}" in content for content in beside["files"].values())


def test_what_is_held_in_memory_is_a_volume_in_memory(hot: Made) -> None:
    volumes = written(hot)["volumes"]
    assert volumes["opsctl-intraday-execution-a-held"]["driver_opts"]["type"] == "tmpfs"
    assert "driver_opts" not in volumes["opsctl-intraday-execution-a-data"]


def test_a_dollar_is_no_variable_of_compose(hot: Made) -> None:
    made = hot.of("data@a").model_copy(update={"command": ("sh", "$HOME")})
    service = hot.services["data@a"]
    text = compose.text(
        "intraday", {"data@a": (service, made)}, {"data": image("data")}, (), (), ()
    )
    assert yaml.safe_load(text)["services"]["data-a"]["command"] == ["sh", "$$HOME"]


def test_where_places_are_on_hosts_of_their_own_it_says_which(hot: Made) -> None:
    of = {"data@a": (hot.services["data@a"], hot.of("data@a"))}
    text = compose.text("intraday", of, {"data": image("data")}, (), (), (), {"a": "north"})
    assert yaml.safe_load(text)["services"]["data-a"]["x-opsctl"]["host"] == "north"
    assert "host" not in written(hot)["services"]["data-a"]["x-opsctl"]


def test_an_image_that_runs_its_own_command_is_given_none(hot: Made) -> None:
    own = hot.of("strategy@a").model_copy(update={"command": ()})
    said = compose.entry(own)
    assert "command" not in said
    assert "entrypoint" not in said
