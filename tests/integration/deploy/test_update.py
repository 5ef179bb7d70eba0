"""A deploy of a hot environment records in the journal what may stand side by side meanwhile."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from apps.core.etcd import Unreachable
from apps.core.terms import Terms, Update
from opsctl import __version__, evidence
from opsctl.deploy import pipeline, refusals
from opsctl.deploy import update as updating
from opsctl.deploy.outcome import Deployed
from opsctl.errors import DeployFailed, UsageError
from opsctl.model.environment import Environment
from opsctl.services import execution
from opsctl.unfinished import heal
from tests.integration.recovery.environment import hot, target
from tests.integration.recovery.fake_execution import execution as apps
from tests.integration.recovery.fake_execution import look
from tests.support.plain_host import PlainHost
from tests.support.servers import EtcdServer, etcd
from tests.unit.deploy.fake import FAILS, Recorded, means


@pytest.fixture(scope="module")
def server() -> Iterator[EtcdServer]:
    with etcd() as running:
        yield running


class Stage:
    """Deploys an environment whose journal is real and whose processes are none."""

    def __init__(self, server: EtcdServer, state: Path, name: str) -> None:
        self.server, self.name = server, name
        self.at = target(server, state / "host")
        self.members = self.at.wanted
        self.seen: list[Update | None] = []
        self.told = Recorded()
        self.at.before_each = lambda _: self.seen.append(self.recorded())

    def recorded(self) -> Update | None:
        """Return the update that the journal holds."""
        return look(self.server, self.name).update

    def terms(self, shares: int) -> Terms:
        """Return the terms of a deployment with this limit."""
        service = execution.service(self._environment(shares), "a", PlainHost())
        return Terms(release=__version__, settings=execution.agreed(service))

    def deploy(self, shares: int, *, fails: bool = False) -> Deployed:
        """Deploy with this limit."""
        found = self._environment(shares)
        services = [execution.service(found, site, PlainHost()) for site in ("a", "b")]
        if fails:
            services[1] = services[1].model_copy(update={"argv": ("serve", FAILS)})
        self.at.wanted = (*self.members, *services)
        piped = pipeline.Pipeline(means(self.at), self.told)
        return piped.deploy(found, arguments={}, verify=False)

    def _environment(self, shares: int) -> Environment:
        limits = hot(self.name).limits.model_copy(update={"max_order_shares": shares})
        return hot(self.name).model_copy(update={"limits": limits})


def day(found: Update) -> str:
    return datetime.fromtimestamp(found.at_ns / 1e9, UTC).date().isoformat()


def test_it_names_the_terms_before_and_after_and_is_gone_at_the_end(
    server: EtcdServer, state: Path
) -> None:
    stage = Stage(server, state, "updated")
    with apps(server, "updated") as fake:
        for site in ("a", "b"):
            told = stage.terms(100)
            fake.says[site] = {"release": told.release, "settings": told.settings}
        stage.deploy(100)
        stage.seen.clear()
        done = stage.deploy(200)
        kinds = [(step.kind, step.site) for step in done.steps]
        assert kinds == [("site", "b"), ("handover", "b"), ("site", "a")]
        assert len(fake.asked) == 1, "by a request to the leader, as `opsctl failover` does"
        assert stage.seen
        for update in stage.seen:
            assert update is not None
            assert {stage.terms(100), stage.terms(200)} <= set(update.terms)
        assert stage.recorded() is None


def test_it_is_gone_when_what_ran_before_runs_again(server: EtcdServer, state: Path) -> None:
    stage = Stage(server, state, "failed")
    stage.deploy(100)
    stage.seen.clear()
    with pytest.raises(DeployFailed):
        stage.deploy(200, fails=True)
    assert all(stage.seen), "while it goes back, too"
    assert stage.recorded() is None


def test_a_deploy_that_was_killed_leaves_it_and_the_next_takes_it_over(
    server: EtcdServer, state: Path
) -> None:
    stage = Stage(server, state, "killed")
    stage.deploy(100)

    class Killed(BaseException):
        """Stands for a process that is gone: nothing is caught, nothing is cleaned up."""

    def kill(_: str) -> None:
        raise Killed

    note, stage.at.before_each = stage.at.before_each, kill
    with pytest.raises(Killed):
        stage.deploy(200)
    left = stage.recorded()
    assert left is not None
    stage.at.before_each = note
    stage.seen.clear()
    stage.deploy(300)
    for update in stage.seen:
        assert update is not None
        assert {stage.terms(200), stage.terms(300)} <= set(update.terms)
    assert stage.recorded() is None


def test_a_release_is_not_skipped(
    server: EtcdServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(server, state, "skipped")
    stage.deploy(100)
    major, minor = __version__.split(".")[:2]
    monkeypatch.setattr(refusals, "__version__", f"{major}.{int(minor) + 1}.0")
    stage.deploy(200)
    monkeypatch.setattr(refusals, "__version__", f"{major}.{int(minor) + 2}.0")
    with pytest.raises(UsageError, match="more than one from this one"):
        stage.deploy(300)


def test_one_that_the_journal_kept_at_the_end_is_removed_by_the_next_command(
    server: EtcdServer, state: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    stage = Stage(server, state, "kept")
    stage.deploy(100)

    async def away(_: object) -> None:
        raise Unreachable("no member answers")

    with monkeypatch.context() as patch:
        patch.setattr(updating, "_remove", away)
        stage.deploy(200)
    assert (
        "stays in it: the next command that changes the environment removes it"
        in (stage.told.said[-1])
    )
    left = stage.recorded()
    assert left is not None
    said: list[str] = []
    assert heal(hot("kept"), lambda _: stage.at, said.append, command="failover")
    assert any(f"healed: removed the record of an update of {day(left)}" in one for one in said)
    assert stage.recorded() is None
    assert evidence.log().read()[-1].command == "heal"
    assert not heal(hot("kept"), lambda _: stage.at, said.append, command="failover")


def test_that_of_a_change_that_is_not_over_is_kept(server: EtcdServer, state: Path) -> None:
    stage = Stage(server, state, "half")
    stage.deploy(100)

    class Killed(BaseException):
        """Stands for a process that is gone."""

    def kill(_: str) -> None:
        raise Killed

    stage.at.before_each = kill
    with pytest.raises(Killed):
        stage.deploy(200)
    said: list[str] = []
    heal(hot("half"), lambda _: stage.at, said.append, command="failover")
    assert stage.recorded() is not None, "both settings run until a deploy ends it"
