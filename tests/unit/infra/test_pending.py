from __future__ import annotations

from typing import Any

import pytest

from opsctl.errors import OpsctlError
from opsctl.infra import pending
from opsctl.infra.pending import Operation, Undecided

URN = "urn:pulumi:daily::trading::aws:ec2/vpc:Vpc::{}"


def operation(name: str, kind: str = "creating") -> Operation:
    return Operation(kind=kind, urn=URN.format(name), type="aws:ec2/vpc:Vpc", name=name)


def test_operations_are_read_from_an_exported_state() -> None:
    state = {
        "pending_operations": [
            {
                "type": "creating",
                "resource": {
                    "urn": URN.format("main"),
                    "type": "aws:ec2/vpc:Vpc",
                    "inputs": {"cidrBlock": "10.0.0.0/16", "__defaults": []},
                },
            }
        ]
    }
    [found] = pending.operations(state)
    assert found == operation("main").model_copy(update={"inputs": {"cidrBlock": "10.0.0.0/16"}})
    assert pending.operations({}) == pending.operations(None) == ()


def test_what_was_being_made_is_looked_up_and_the_rest_is_read_anew() -> None:
    found = (operation("a"), operation("b"), operation("c", "deleting"))
    known = pending.decided("daily", found, _by_name)
    assert known == {URN.format("a"): "vpc-1", URN.format("b"): None}


def _by_name(operation: Operation) -> str | None:
    return {"a": "vpc-1", "b": None}[operation.name]


def test_nothing_is_changed_while_one_is_undecided() -> None:
    with pytest.raises(OpsctlError) as caught:
        pending.decided("daily", (operation("a"), operation("b")), pending.nowhere)
    assert "--not-made a --not-made b" in caught.value.hint
    assert [line.split(" ")[0] for line in caught.value.details] == ["a", "b"]


def test_a_person_decides_by_name_and_only_what_they_name() -> None:
    lookup = pending.said({"a": "vpc-1"}, ("b",))
    assert lookup(operation("a")) == "vpc-1"
    assert lookup(operation("b")) is None
    with pytest.raises(Undecided):
        lookup(operation("c"))


def test_what_exists_becomes_a_resource_and_what_does_not_is_forgotten() -> None:
    def begun(name: str, kind: str = "creating") -> dict[str, object]:
        resource = {"urn": URN.format(name), "type": "t", "inputs": {"cidr": "a"}, "custom": True}
        return {"type": kind, "resource": resource}

    state: dict[str, list[Any]] = {
        "resources": [{"urn": "first"}],
        "pending_operations": [begun("a"), begun("b"), begun("c", "deleting")],
    }
    found = pending.taken_over(state, {URN.format("a"): "vpc-1", URN.format("b"): None})
    assert [each["urn"] for each in found["resources"]] == ["first", URN.format("a")]
    assert found["resources"][1]["id"] == "vpc-1"
    assert found["resources"][1]["outputs"] == {"cidr": "a"}
    assert [each["resource"]["urn"] for each in found["pending_operations"]] == [URN.format("c")]
    assert len(state["resources"]) == 1


def test_what_replaces_another_comes_before_it_and_behind_what_it_depends_on() -> None:
    a, b, c = (URN.format(name) for name in "abc")
    begun = {"urn": a, "type": "t", "inputs": {}, "dependencies": [b]}
    there: list[dict[str, Any]] = [
        {"urn": b, "type": "t", "id": "vpc-b"},
        {"urn": a, "type": "t", "id": "vpc-old"},
        {"urn": c, "type": "t", "id": "vpc-c", "dependencies": [a]},
    ]
    state = {"resources": there, "pending_operations": [{"type": "creating", "resource": begun}]}
    (operation,) = pending.operations(state)
    assert operation.recorded == ("vpc-b", "vpc-old", "vpc-c")
    found = pending.taken_over(state, {a: "vpc-new"})["resources"]
    assert [(each["id"], each.get("delete", False)) for each in found] == [
        ("vpc-b", False),
        ("vpc-new", False),
        ("vpc-c", False),
        ("vpc-old", True),
    ]
    # One that was deleted first is there no more, and may have borne the same name.
    there[1]["pendingReplacement"] = True
    (operation,) = pending.operations(state)
    assert operation.recorded == ("vpc-b", "vpc-c")
    found = pending.taken_over(state, {a: "vpc-new"})["resources"]
    assert [each["id"] for each in found] == ["vpc-b", "vpc-new", "vpc-c"]


def test_the_settings_of_its_provider_are_known() -> None:
    provider = "urn:pulumi:daily::trading::pulumi:providers:aws::aws-eu-central-1"
    region = {"region": "eu-central-1"}
    begun = {"urn": URN.format("a"), "type": "t", "inputs": {}, "provider": f"{provider}::1-2"}
    state = {
        "resources": [{"urn": provider, "type": "pulumi:providers:aws", "inputs": region}],
        "pending_operations": [{"type": "creating", "resource": begun}],
    }
    assert pending.operations(state)[0].provider == region
