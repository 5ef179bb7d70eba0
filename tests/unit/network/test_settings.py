from __future__ import annotations

from typing import Any

import pytest
from pydantic import ValidationError

from apps.core.settings import NetworkSettings


def made(**links: Any) -> NetworkSettings:
    return NetworkSettings.of(
        environment="x",
        site="between",
        service="network",
        http_port=1,
        http_token_file="/t",
        links=links,
    )


def link(listen: int, asked: str = "") -> dict[str, str]:
    return {"listen": f"127.0.0.1:{listen}", "to": "127.0.0.1:9", "asked": asked}


def test_links_may_share_a_port_where_each_is_asked_for_by_name() -> None:
    assert set(made(one=link(1, "b"), two=link(1, "c"), three=link(2)).links) == {
        "one",
        "two",
        "three",
    }


@pytest.mark.parametrize("links", [(link(1), link(1)), (link(1, "b"), link(1))])
def test_links_that_nothing_tells_apart_are_refused(links: Any) -> None:
    with pytest.raises(ValidationError, match="must each be asked for by a name"):
        made(one=links[0], two=links[1])


@pytest.mark.parametrize("links", [{}, {"one": {"listen": "9", "to": "127.0.0.1:9"}}])
def test_links_without_an_address_are_refused(links: Any) -> None:
    with pytest.raises(ValidationError):
        made(**links)
