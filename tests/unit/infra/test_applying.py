"""What is refused before infrastructure is changed; `FakeEngine` stands in for Pulumi's."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import date
from pathlib import Path

import pytest

from opsctl.errors import OpsctlError, UsageError
from opsctl.infra import applying
from opsctl.infra.applying import Asked
from opsctl.infra.declared import Declared
from opsctl.infra.guardrails import Facts
from opsctl.infra.previewed import Action, Preview, Property, Resource
from opsctl.infra.results import Applied
from opsctl.infra.workspace import Workspace
from opsctl.model.environment import Environment
from opsctl.model.tiers import DrTier, LatencyTier

ENVIRONMENT = Environment(name="books", tier=LatencyTier.DAILY, dr=DrTier.COLD)
TAGS = {"environment": "books", "tier": "daily", "dr": "cold", "site": "a", "owner": "desk"}


def volume(action: Action, *properties: Property) -> Resource:
    return Resource(
        urn="urn:pulumi:books::trading::aws:ebs/volume:Volume::data",
        type="aws:ebs/volume:Volume",
        name="data",
        action=action,
        id="vol-1",
        inputs={"encrypted": True, "type": "gp3", "size": 10, "tags": {**TAGS, "expires": "never"}},
        properties=properties,
        protected=True,
    )


class FakeEngine:
    """A stack with one volume: what it would do, and what was done to it."""

    def __init__(self) -> None:
        self.exists = True
        self.drifted: tuple[Resource, ...] = ()
        self.previews: Iterator[tuple[Resource, ...]] = iter(())
        self.there = (volume(Action.SAME),)
        self.done: list[str] = []

    def drift(self) -> Preview:
        return Preview(environment="books", resources=self.drifted)

    def preview(self, program: object) -> Preview:
        return Preview(environment="books", resources=next(self.previews))

    def up(self, program: object, on_step: object, *, refresh: bool, keep_going: bool) -> Applied:
        self.done.append("up with a look" if refresh else "up")
        done = Applied(environment="books", changes=(), unchanged=1, duration_s=0.1)
        return done.model_copy(update={"there": self.there})

    def export(self) -> dict[str, dict[str, list[object]]]:
        return {"deployment": {"resources": []}}

    @contextmanager
    def letting_go(self, names: Sequence[str]) -> Iterator[dict[str, str]]:
        going = {f"urn:{name}": name for name in names}
        self.done += [f"lets {name} go" for name in names]
        yield going

    def protected(self) -> dict[str, str]:
        return {"urn:data": "data"}

    def unprotect(self, urns: object) -> None:
        self.done.append(f"unprotect {urns}")

    def destroy(self, on_step: object, *, forget: bool) -> Applied:
        self.done.append("destroy")
        gone = (volume(Action.DELETE),)
        return Applied(environment="books", changes=gone, unchanged=0, duration_s=0.1)


@pytest.fixture
def engine(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> FakeEngine:
    monkeypatch.setenv("OPSCTL_STATE", str(tmp_path))
    made = FakeEngine()
    declared = Declared(
        program=lambda: None,
        workspace=Workspace(environment="books"),
        facts=lambda names: Facts(
            dr=DrTier.COLD,
            today=date(2026, 12, 1),
            regions=("eu-central-1",),
            owner="desk",
            replace_data=tuple(names),
        ),
    )
    monkeypatch.setattr(applying, "program", lambda environment: declared)
    monkeypatch.setattr(applying, "open_engine", lambda declared, say: made)
    return made


def deploy(**asked: object) -> applying.InfrastructureDeployed:
    return applying.deploy(ENVIRONMENT, Asked(**asked), print, print)  # type: ignore[arg-type]


def test_what_somebody_changed_is_not_overwritten_unless_that_is_asked_for(
    engine: FakeEngine,
) -> None:
    engine.drifted = (volume(Action.UPDATE, Property(path="size", old=10, new=20)),)
    with pytest.raises(OpsctlError) as refused:
        deploy()
    assert refused.value.details == ("data: size: declared 10, is 20",)
    assert "--overwrite-drift" in str(refused.value.hint)
    assert engine.done == []
    engine.previews = iter([(volume(Action.SAME),)])
    deploy(overwrite_drift=True)
    assert engine.done == ["up with a look"]


def test_what_holds_data_is_replaced_by_its_name_alone(engine: FakeEngine) -> None:
    replaced = volume(
        Action.REPLACE, Property(path="encrypted", old=False, new=True, replaces=True)
    )
    engine.previews = iter([(replaced,)])
    with pytest.raises(OpsctlError) as refused:
        deploy()
    assert "guardrails refuse" in refused.value.message
    assert engine.done == []
    engine.previews = iter([(replaced,)])
    deploy(replace_data=("data",))
    assert engine.done == ["lets data go", "up"]


def test_what_was_made_is_judged_as_it_is_there(engine: FakeEngine) -> None:
    clear = volume(Action.SAME).model_copy(update={"inputs": {"encrypted": False}})
    engine.previews, engine.there = iter([(volume(Action.CREATE),)]), (clear,)
    found = deploy()
    assert "AWS-ENC-001" in {one.rule for one in found.guardrails.findings}
    assert applying.exit_code(found) == 3


def test_what_holds_data_is_deleted_by_its_name_alone(engine: FakeEngine) -> None:
    def destroy(*names: str) -> applying.InfrastructureDestroyed:
        return applying.destroy(ENVIRONMENT, Asked(names), print, print)

    with pytest.raises(OpsctlError, match="holds data that would be deleted"):
        destroy()
    with pytest.raises(UsageError, match="--replace-data other: nothing of that name"):
        destroy("other")
    assert engine.done == []
    assert destroy("data").deleted == ("data",)
    assert engine.done == ["unprotect ('urn:data',)", "destroy"]
    engine.exists = False
    assert destroy().run is None
