"""A booted Debian server, and an operator who provisions and audits it by the `opsctl` command."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.e2e.conftest import needed
from tests.support.guest import Guest, guest, lacking
from tests.support.guest.operator import Operator
from tests.support.servers import folder


@pytest.fixture(autouse=True)
def state() -> None:
    """Nothing is deployed here."""


@pytest.fixture(scope="module")
def server() -> Iterator[Guest]:
    """A fresh server: the stock kernel, two CPUs in two NUMA nodes, two NICs that trade."""
    needed(lacking())
    with guest(cpus=2, nodes=2) as made:
        yield made


@pytest.fixture(scope="module")
def operator(server: Guest) -> Iterator[Operator]:
    """Somebody who knows its key already."""
    with folder() as project, folder() as state:
        yield Operator(server, project, state)
