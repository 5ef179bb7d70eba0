"""`opsctl env reap`: what is past its time goes, and nothing else."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from opsctl import evidence
from opsctl.deploy import records
from opsctl.deploy.lock import held
from opsctl.deploy.pipeline import Pipeline
from opsctl.ephemeral.clouds import Stray
from opsctl.ephemeral.reaping import make_room, reap
from opsctl.errors import OpsctlError, UsageError
from opsctl.model.environment import Environment
from opsctl.model.ephemeral import Ephemeral, written
from opsctl.state import environment_folder
from tests.unit.deploy.fake import FakeTarget, Recorded, environment, means
from tests.unit.ephemeral.conftest import Opsctl

NOW = datetime(2027, 1, 31, 15, tzinfo=UTC)


def ephemeral(name: str, hours: float) -> Environment:
    """Return an environment that ends so many hours from now."""
    end = written(NOW + timedelta(hours=hours))
    return environment(name, ephemeral=Ephemeral(owner="acme/books", expires=end))


def deploy(target: FakeTarget, *environments: Environment) -> None:
    """Deploy environments."""
    for each in environments:
        target.running.clear()
        Pipeline(means(target), Recorded()).deploy(each, arguments={}, verify=False)


def standing() -> set[str]:
    """Return which of the names are deployed."""
    return {name for name in ("old", "new", "daily") if records.environment(name)}


def test_only_what_is_past_its_time_goes(target: FakeTarget) -> None:
    deploy(target, ephemeral("old", -1), ephemeral("new", 1), environment("daily"))
    found = reap(means(target), Recorded(), NOW)
    assert {(one.environment, one.verdict) for one in found.environments} == {
        ("old", "removed"),
        ("new", "kept"),
    }
    assert standing() == {"new", "daily"}
    assert [one.verdict for one in reap(means(target), Recorded(), NOW).environments] == ["kept"]


def test_a_dry_run_changes_nothing(target: FakeTarget) -> None:
    deploy(target, ephemeral("old", -1))
    found = reap(means(target), Recorded(), NOW, dry_run=True)
    assert [one.verdict for one in found.environments] == ["would remove"]
    assert standing() == {"old"}


def test_what_another_holds_is_left_to_it(target: FakeTarget) -> None:
    deploy(target, ephemeral("old", -1))
    with held("old", "another reaper"):
        (found,) = reap(means(target), Recorded(), NOW).environments
    assert (found.verdict, "another reaper" in found.detail) == ("held", True)
    assert standing() == {"old"}


def test_what_fails_keeps_nothing_from_the_others(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    deploy(target, ephemeral("new", -1), ephemeral("old", -1))
    (environment_folder("new") / "in_progress.json").write_text('{"format": 99}')
    found = {one.environment: one for one in reap(means(target), Recorded(), NOW).environments}
    assert found["new"].verdict == "failed"
    assert "written by a newer opsctl" in found["new"].detail
    assert found["old"].verdict == "removed"


def test_the_evidence_says_why(target: FakeTarget) -> None:
    deploy(target, ephemeral("old", -1))
    (found,) = reap(means(target), Recorded(), NOW).environments
    (line,) = [one for one in evidence.log().read() if one.run == found.run]
    assert line.command == "destroy"
    assert line.arguments["why"] == "its time was over at 2027-01-31T14:00:00Z"


def test_a_name_that_was_given_away_meanwhile_is_not_destroyed(target: FakeTarget) -> None:
    deploy(target, ephemeral("old", 2))
    with pytest.raises(UsageError, match="the name old is taken"):
        Pipeline(means(target), Recorded()).destroy(
            ephemeral("old", -1), keep_data=False, arguments={}
        )
    assert standing() == {"old"}
    assert target.running


def test_room_is_made_by_what_is_past_its_time_alone(target: FakeTarget) -> None:
    deploy(target, ephemeral("old", -1))
    make_room(ephemeral("new", 2), means(target), Recorded(), NOW)
    assert standing() == {"old"}
    make_room(ephemeral("old", 2), means(target), Recorded(), NOW)
    assert standing() == set()
    deploy(target, ephemeral("old", 1))
    with pytest.raises(UsageError, match="of acme/books until 2027-01-31T16:00:00Z"):
        make_room(ephemeral("old", 2), means(target), Recorded(), NOW)
    assert standing() == {"old"}


def test_the_command_line_says_what_it_found(opsctl: Opsctl, target: FakeTarget) -> None:
    deploy(target, ephemeral("old", -1_000_000))
    done = opsctl("env", "reap", "--dry-run")
    assert done.code == 0
    assert "would remove" in done.out
    assert opsctl("env", "reap", "--output", "json").json["environments"][0]["verdict"] == "removed"


def in_cloud(name: str, hours: float, backend: str = "") -> Stray:
    """Return what an account has of an environment that ends so many hours from now."""
    state = {"backend": backend, "key": "awskms://alias/x?region=eu-central-1"} if backend else {}
    aws = {"account": "123456789012", "owner": "x", "region": "eu-central-1", "state": state}
    of = {**ephemeral(name, hours).model_dump(), "target": "docker", "infrastructure": "aws"}
    made = Environment.model_validate({**of, "aws": aws})
    return Stray(environment=made, resources=("arn:aws:ec2:::vpc/vpc-1",))


def test_what_an_account_has_is_left_where_nobody_here_has_its_state(
    target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    strays = (in_cloud("lost", -1), in_cloud("running", 1), in_cloud("kept", -1, "s3://states/x"))
    away = ("account 210987654321: AWS does not answer",)
    monkeypatch.setattr("opsctl.ephemeral.clouds.look", lambda: (strays, away))
    removed: list[str] = []

    def remove(of: Environment, *_: object, why: str) -> str:
        removed.append(f"{of.name} {why}")
        return "run-1"

    monkeypatch.setattr("opsctl.ephemeral.reaping.remove", remove)
    dry = reap(means(target), Recorded(), NOW, dry_run=True)
    assert [one.verdict for one in dry.environments] == ["left", "kept", "would remove"]
    found = reap(means(target), Recorded(), NOW)
    assert [one.verdict for one in found.environments] == ["left", "kept", "removed"]
    assert found.environments[0].resources == ("arn:aws:ec2:::vpc/vpc-1",)
    assert found.unreachable == away
    assert removed == ["kept its time was over at 2027-01-31T14:00:00Z"]


def test_an_account_that_cannot_be_asked_is_named(
    opsctl: Opsctl, target: FakeTarget, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (opsctl.project / "Pulumi.daily.yaml").read_text()
    said = """
  trading:infrastructure: aws
  trading:target: docker
  trading:aws:
    account: "123456789012"
    owner: x
    region: eu-central-1
    ci: {repository: acme/books}
"""
    lines = [one for one in text.splitlines() if not one.strip().startswith("trading:target")]
    (opsctl.project / "Pulumi.cloud.yaml").write_text("\n".join(lines) + said)

    def away(*_: object) -> None:
        raise OpsctlError("AWS does not answer")

    monkeypatch.setattr("opsctl.ephemeral.clouds.strays", away)
    done = opsctl("env", "reap")
    assert (done.code, target.applied) == (1, [])
    assert "not asked: account 123456789012: AWS does not answer" in done.out
