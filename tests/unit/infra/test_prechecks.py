"""What an account does not allow of a plan, from what was found of it."""

from __future__ import annotations

from opsctl.infra.prechecks import Facts, Known, Quota, findings

VPCS = Quota(name="VPCs", region="us-east-1", code="vpc/L-F678F1CE", wanted=3, there=2, most=5)
ZONES = ("us-east-1a", "us-east-1b")


def test_what_fits_is_no_finding() -> None:
    facts = Facts(
        offered={"c7i.large in us-east-1a": ZONES}, quotas=(VPCS,), taken={"books-data-1": False}
    )
    assert findings(facts) == ()
    assert findings(Facts()) == ()


def test_what_does_not_is_refused_and_says_what_to_do() -> None:
    facts = Facts(
        offered={"c7i.large in us-east-1c": ZONES, "x9.huge in us-east-1a": ()},
        quotas=(VPCS.model_copy(update={"there": 3}),),
        taken={"books-data-1": True},
        denied=("ec2:CreateVpc",),
    )
    found = {f"{one.check} {one.subject}": one for one in findings(facts)}
    assert {one.verdict for one in found.values()} == {Known.REFUSED}
    offers = [one.problem for one in found.values() if one.check == "instance-type"]
    assert offers == [
        "us-east-1c does not have c7i.large: it is in us-east-1a, us-east-1b",
        "us-east-1a does not have x9.huge: its region has it nowhere",
    ]
    quota = found["quota VPCs in us-east-1"]
    assert quota.problem == "3 are there, 3 more are needed, and the account may have 5"
    assert "--service-code vpc --quota-code L-F678F1CE --desired-value 6" in quota.comply
    assert "another name" in found["bucket-name books-data-1"].comply
    assert "AWS_PROFILE" in found["permission ec2:CreateVpc"].comply


def test_what_could_not_be_asked_is_said_to_be_unknown_and_comes_last() -> None:
    facts = Facts(
        offered={"c7i.large in us-east-1a": None},
        quotas=(VPCS.model_copy(update={"most": None}), VPCS.model_copy(update={"there": 5})),
        taken={"books-data-1": None},
        permissions_unknown="AWS refuses iam:SimulatePrincipalPolicy",
    )
    found = findings(facts)
    assert [one.verdict for one in found] == [Known.REFUSED, *[Known.UNKNOWN] * 4]
    assert [one.check for one in found[1:]] == [
        "instance-type",
        "quota",
        "bucket-name",
        "permission",
    ]
