from __future__ import annotations

import pytest

from opsctl.errors import ToolMissing
from opsctl.infra import failures
from opsctl.infra.previewed import Action, Resource
from opsctl.infra.steps import Fault
from opsctl.infra.workspace import Workspace

HERE = Workspace(environment="daily", backend="s3://states/trading?endpoint=127.0.0.1:1")
URN = "urn:pulumi:daily::trading::aws:ec2/vpc:Vpc::main"


def test_a_failed_resource_is_named_with_its_cause() -> None:
    vpc = Resource(urn=URN, type="aws:ec2/vpc:Vpc", name="main", action=Action.CREATE)
    faults = (
        Fault(urn=URN, message="VpcLimitExceeded: 5 of 5"),
        Fault(urn="", message="update failed"),
        Fault(urn="", message="an unhandled error occurred: a [b] failed to register\nTraceback"),
    )
    error = failures.explained("error: update failed", HERE, faults=faults, failed=[vpc])
    assert error.message == "main (aws:ec2/vpc:Vpc) cannot be made: VpcLimitExceeded: 5 of 5"
    assert error.details == ("main: VpcLimitExceeded: 5 of 5",)
    assert "run the same command again" in error.hint


@pytest.mark.parametrize(
    ("text", "message", "hint"),
    [
        ("error: could not deserialize: incorrect passphrase", "passphrase", "passphrase"),
        (
            "error: failed to load checkpoint: invalid character 'x' looking for a value",
            "corrupt",
            "opsctl stack repair daily",
        ),
        (
            "error: snapshot integrity failure; refusing to use it: child refers to a parent",
            "corrupt",
            "opsctl stack import daily",
        ),
        (
            'error: read ".pulumi/meta.yaml": dial tcp 127.0.0.1:1: connect: connection refused',
            "s3://states/trading",
            "bucket",
        ),
    ],
)
def test_known_failures_say_what_to_do(text: str, message: str, hint: str) -> None:
    error = failures.explained(text, HERE)
    assert message in error.message
    assert hint in error.hint


def test_a_missing_plugin_is_a_missing_tool() -> None:
    error = failures.explained(
        "error: no resource plugin 'pulumi-resource-aws' found in the workspace", HERE, home="/h"
    )
    assert isinstance(error, ToolMissing)
    assert "PULUMI_HOME=/h pulumi plugin install resource" in error.hint


def test_an_unknown_failure_shows_the_first_cause_and_the_last_lines() -> None:
    error = failures.explained("Updating:\nerror: something new\n", HERE)
    assert error.message == "the engine failed for daily: something new"
    assert error.details == ("Updating:", "error: something new")


def test_what_is_protected_is_named_with_the_option_that_lets_it_go() -> None:
    said = "resource {urn!r} cannot be deleted\nbecause it is protected. To unprotect"
    urns = [f"urn:pulumi:books::trading::aws:ebs/volume:Volume::{name}" for name in ("b", "a")]
    faults = [Fault(urn=urn, message=said.format(urn=urn)) for urn in urns]
    error = failures.explained("error: preview failed", HERE, faults=faults)
    assert error.message == "daily holds data that would be replaced or deleted"
    assert error.hint == "if you mean it: --replace-data a --replace-data b"
