"""Which deployment a rollback goes back to."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from opsctl.deploy import records
from opsctl.deploy.history import choose, deployments
from opsctl.deploy.records import Deployment
from opsctl.errors import UsageError
from tests.unit.deploy.fake import environment

START = datetime(2026, 1, 1, tzinfo=UTC)


def _deployment(
    number: int, before: str | None = None, restores: str | None = None, identity: str = "id"
) -> Deployment:
    return Deployment(
        run=f"r{number}",
        at=START + timedelta(minutes=number),
        identity=identity,
        environment=environment(),
        services=(),
        before=before,
        restores=restores,
    )


FIRST, SECOND, THIRD = _deployment(1), _deployment(2, "r1"), _deployment(3, "r2")
ALL = (FIRST, SECOND, THIRD)


def test_without_a_run_it_is_the_one_before() -> None:
    assert choose(THIRD, ALL, None) is SECOND


def test_a_rollback_that_is_rolled_back_goes_one_further() -> None:
    restored = _deployment(4, before="r1", restores="r2")
    assert choose(restored, (*ALL, restored), None) is FIRST


def test_a_rollback_may_be_undone_by_name() -> None:
    restored = _deployment(4, before="r1", restores="r2")
    assert choose(restored, (*ALL, restored), "r3") is THIRD


def test_after_a_killed_deploy_it_is_the_one_that_ran_whole() -> None:
    assert choose(THIRD, ALL, None, half_done=True) is THIRD
    assert choose(THIRD, ALL, "r3", half_done=True) is THIRD


@pytest.mark.parametrize(
    ("current", "to", "said"),
    [
        (FIRST, None, "nothing was deployed in daily before run r1"),
        (THIRD, "r9", "no run r9 has deployed daily"),
        (THIRD, "r3", "run r3 is what is deployed now"),
        (_deployment(4, before="r1", restores="r2"), "r2", "run r2 is what is deployed now"),
    ],
)
def test_what_cannot_be_meant_is_refused(current: Deployment, to: str | None, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        choose(current, ALL, to)


def test_the_refusal_lists_the_earlier_ones() -> None:
    with pytest.raises(UsageError) as refused:
        choose(THIRD, ALL, "r9")
    assert refused.value.hint == (
        "earlier deployments: r2 (2026-01-01T00:02:00Z), r1 (2026-01-01T00:01:00Z)"
    )


def test_only_this_very_environment_counts(state: Path) -> None:
    for deployment in (SECOND, FIRST, _deployment(5, identity="destroyed since")):
        records.commit(deployment, state / "runs" / deployment.run)
    (state / "runs/verify-only").mkdir()
    (state / "runs/of-a-newer-opsctl").mkdir()
    (state / "runs/of-a-newer-opsctl/deployment.json").write_text('{"format": 99}')
    assert deployments("daily", "id") == (FIRST, SECOND)
    assert deployments("weekly", "id") == ()


@given(st.integers(min_value=2, max_value=12))
def test_repeating_rollback_walks_back_to_the_first(count: int) -> None:
    later = [_deployment(n, before=f"r{n - 1}") for n in range(2, count + 1)]
    history, seen = [_deployment(1), *later], []
    current = history[-1]
    for number in range(count + 1, 2 * count):
        chosen = choose(current, history, None)
        seen.append(chosen.run)
        current = _deployment(number, before=chosen.before, restores=chosen.run)
        history.append(current)
    assert seen == [f"r{n}" for n in range(count - 1, 0, -1)]
    with pytest.raises(UsageError):
        choose(current, history, None)
