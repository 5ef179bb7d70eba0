"""Which environments have a site on a box, and what is refused where none has."""

from __future__ import annotations

import pytest

from opsctl.errors import UsageError
from opsctl.model.environment import Environment
from opsctl.provision import draining
from tests.unit.provision.test_failing import HOST

ON_TWO = Environment.model_validate(
    {
        "name": "intraday",
        "tier": "intraday",
        "dr": "hot",
        "target": "docker",
        "hosts": {
            "a": {"engine": "ssh://root@10.1.0.11", "address": "10.1.0.11"},
            "b": {"engine": "ssh://root@ny4-9", "address": "10.1.0.12"},
            "witness": {"engine": "ssh://root@10.1.0.13", "address": "10.1.0.13"},
        },
    }
)


@pytest.mark.parametrize(
    ("change", "sites"),
    [
        ({}, ["a"]),
        ({"address": "10.1.0.12"}, ["b"]),
        ({"name": "ny4-9", "address": "192.0.2.1"}, ["b"]),
        ({"address": "10.1.0.13"}, []),
        ({"address": "10.1.0.99"}, []),
    ],
)
def test_a_box_is_found_by_its_address_or_its_name(
    change: dict[str, str], sites: list[str]
) -> None:
    host = HOST.model_copy(update=change)
    assert [site for _, site in draining.placed(host, (ON_TWO,))] == sites


def test_a_box_of_no_environment_is_refused() -> None:
    with pytest.raises(UsageError, match="no deployed environment has a site on ny4-1"):
        draining.drain(HOST, (), print)
