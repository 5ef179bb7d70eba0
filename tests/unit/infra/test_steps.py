from __future__ import annotations

from typing import Any

from pulumi.automation import EngineEvent

from opsctl.infra.previewed import UNKNOWN, Action, Property
from opsctl.infra.results import Step
from opsctl.infra.steps import Steps

URN = "urn:pulumi:daily::trading::aws:ec2/vpc:Vpc::main"
STACK = "urn:pulumi:daily::trading::pulumi:pulumi:Stack::trading-daily"
LATER = "04da6b54-80e4-46f7-96ec-b56ff0331ba9"


def state(**given: Any) -> dict[str, Any]:
    base = {"type": "aws:ec2/vpc:Vpc", "urn": URN, "parent": STACK, "provider": "", "custom": True}
    return {**base, "id": "", "inputs": {}, "outputs": {}, **given}


def event(kind: str, op: str, **given: Any) -> EngineEvent:
    metadata = {"op": op, "urn": URN, "type": "aws:ec2/vpc:Vpc", "provider": "", **given}
    return EngineEvent.from_json({"sequence": 1, "timestamp": 1, kind: {"metadata": metadata}})


def test_what_is_made_has_its_inputs_and_later_its_id() -> None:
    steps = Steps()
    steps(event("resourcePreEvent", "create", new=state(inputs={"cidr": "10.0.0.0/16"})))
    [planned] = steps.resources
    assert (planned.action, planned.name, planned.parent) == (Action.CREATE, "main", "")
    assert planned.inputs == {"cidr": "10.0.0.0/16"}
    made = state(inputs={"cidr": "10.0.0.0/16"}, id="vpc-1")
    steps(event("resOutputsEvent", "create", new=made))
    assert steps.resources[0].id == "vpc-1"


def test_the_steps_of_a_replacement_are_one_resource_that_says_why() -> None:
    old, new = state(inputs={"cidr": "a"}, id="vpc-1"), state(inputs={"cidr": LATER})
    steps = Steps()
    both = {"old": old, "new": new, "keys": ["cidr"]}
    diff = {"cidr": {"diffKind": "update-replace", "inputDiff": True}}
    steps(event("resourcePreEvent", "create-replacement", **both, detailedDiff=diff))
    steps(event("resourcePreEvent", "replace", **both, detailedDiff=diff))
    steps(event("resourcePreEvent", "delete-replaced", old=old))
    [found] = steps.resources
    assert found.action is Action.REPLACE
    assert found.properties == (Property(path="cidr", old="a", new=UNKNOWN, replaces=True),)
    assert found.inputs == {"cidr": UNKNOWN}


def test_a_deleted_resource_has_the_inputs_that_it_had() -> None:
    steps = Steps()
    steps(event("resourcePreEvent", "delete", old=state(inputs={"cidr": "a"}, protect=True)))
    [found] = steps.resources
    assert (found.action, found.inputs, found.protected) == (Action.DELETE, {"cidr": "a"}, True)


def test_the_stack_itself_is_no_resource_of_anybody() -> None:
    steps = Steps()
    metadata = {"op": "create", "urn": STACK, "type": "pulumi:pulumi:Stack", "provider": ""}
    steps(
        EngineEvent.from_json(
            {"sequence": 1, "timestamp": 1, "resourcePreEvent": {"metadata": metadata}}
        )
    )
    assert (steps.resources, steps.outputs) == ((), None)


def test_what_the_stack_hands_out_is_told_at_its_end() -> None:
    steps = Steps()
    itself = {"urn": STACK, "type": "pulumi:pulumi:Stack"}
    steps(event("resourcePreEvent", "same", **itself, new=state(outputs={"hosts": ["former"]})))
    steps(event("resOutputsEvent", "create", new=state(outputs={"cidr": "10.0.0.0/16"})))
    assert steps.outputs is None
    steps(event("resOutputsEvent", "same", **itself, new=state(outputs={"hosts": ["a"]})))
    assert steps.outputs == {"hosts": ["a"]}


def test_progress_is_told_of_what_changes_only() -> None:
    told: list[Step] = []
    steps = Steps(told.append)
    steps(event("resourcePreEvent", "same", new=state()))
    steps(event("resourcePreEvent", "create", new=state()))
    steps(event("resOutputsEvent", "create", new=state(id="vpc-1")))
    assert [(each.stage, each.name) for each in told] == [("started", "main"), ("done", "main")]
    assert told[1].took_s is not None


def test_faults_are_kept_with_their_resource_and_without_colours() -> None:
    steps = Steps()
    for severity in ("error", "info"):
        diagnostic = {"message": f"<{{%reset%}}>{severity}: no room<{{%reset%}}>\n", "urn": URN}
        steps(
            EngineEvent.from_json(
                {
                    "sequence": 1,
                    "timestamp": 1,
                    "diagnosticEvent": {**diagnostic, "severity": severity, "color": "raw"},
                }
            )
        )
    assert [(each.urn, each.message) for each in steps.faults] == [(URN, "error: no room")]


def test_of_a_look_what_is_there_counts_and_of_an_update_what_is_declared() -> None:
    old = state(inputs={"text": "one"}, outputs={"text": "one"}, id="x")
    new = state(inputs={"text": "one"}, outputs={"text": "by hand"}, id="x")
    looking = Steps(looking=True)
    looking(event("resourcePreEvent", "refresh", old=old, new=old))
    looking(event("resOutputsEvent", "update", old=old, new=new))
    [found] = looking.resources
    assert found.action is Action.UPDATE
    assert found.properties == (Property(path="text", old="one", new="by hand"),)

    updating = Steps()
    declared = state(inputs={"text": "two"}, outputs={"text": "one"}, id="x")
    diff = {"text": {"diffKind": "update", "inputDiff": False}}
    updating(event("resourcePreEvent", "update", old=old, new=declared, detailedDiff=diff))
    assert updating.resources[0].properties == (Property(path="text", old="one", new="two"),)


def test_a_provider_that_nobody_declared_is_left_out() -> None:
    steps = Steps()
    for name in ("default_7_51_1", "ireland"):
        urn = f"urn:pulumi:daily::trading::pulumi:providers:aws::{name}"
        made = state(urn=urn, type="pulumi:providers:aws")
        given = {"urn": urn, "type": "pulumi:providers:aws", "new": made}
        steps(event("resourcePreEvent", "create", **given))
    assert [each.name for each in steps.resources] == ["ireland"]
