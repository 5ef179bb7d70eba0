"""A setting of a hot environment in containers is changed and changed back under orders."""

from __future__ import annotations

from collections.abc import Callable

from tests.e2e.conftest import Deployed
from tests.e2e.updating import change_and_roll_back


def test_containers_are_replaced_site_by_site_and_lose_no_order(
    contained: Deployed, record_property: Callable[[str, object], None]
) -> None:
    change_and_roll_back(contained, record_property, "--target", "docker")
