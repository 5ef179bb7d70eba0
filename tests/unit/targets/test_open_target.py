from __future__ import annotations

from typing import Any

import pytest

from opsctl.errors import OpsctlError, UsageError
from opsctl.model.environment import Environment
from opsctl.targets import open_target
from opsctl.targets.base import Target


def environment(**more: Any) -> Environment:
    return Environment.model_validate({"name": "daily", "tier": "daily", "dr": "cold", **more})


def test_the_local_target_is_a_target() -> None:
    target: Target = open_target(environment())
    assert target.observe() == ()
    assert open_target(environment(dr="hot")).observe() == ()
    assert open_target(environment(dr="warm")).observe() == ()


def test_a_target_that_is_not_there_yet_is_a_clear_error() -> None:
    with pytest.raises(UsageError, match="kubernetes") as refused:
        open_target(environment(target="kubernetes"))
    assert refused.value.hint


def test_a_target_of_containers_says_where_an_engine_would_be(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setenv("DOCKER_HOST", "unix:///nowhere/docker.sock")
    target = open_target(environment(target="docker"))
    with pytest.raises(OpsctlError, match="no Docker Engine answers at unix:///nowhere") as none:
        target.observe()
    assert "start one" in none.value.hint


def test_opening_and_observing_writes_nothing(state: Any) -> None:
    open_target(environment()).observe()
    assert list(state.iterdir()) == []
