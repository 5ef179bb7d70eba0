"""The identity of CI, and the ephemeral environments that it makes."""

from __future__ import annotations

import json
from fnmatch import fnmatch

from tests.support.declared import Stack, declared, listed
from tests.support.designs import APART, KEY, made


def test_ci_is_one_repository_for_an_hour_and_only_what_is_ephemeral(
    stacks: dict[str, Stack],
) -> None:
    role = stacks["daily-warm"].one("opsctl-ci").inputs
    assert role["maxSessionDuration"] == 3600
    (trust,) = json.loads(role["assumeRolePolicy"])["Statement"]
    subject = trust["Condition"]["StringLike"]["token.actions.githubusercontent.com:sub"]
    assert fnmatch("repo:firm/trading:ref:refs/heads/main", subject)
    assert not fnmatch("repo:firm/trading2:ref:refs/heads/main", subject)
    policy = stacks["daily-warm"].one("opsctl-ci-policy").inputs["policy"]
    statements = {one["Sid"]: one for one in json.loads(policy)["Statement"]}
    for sid in ("Make", "MakeRules", "Change", "TagWhatIsMade"):
        equal = statements[sid]["Condition"]["StringEquals"]
        kind = "ResourceTag" if sid == "Change" else "RequestTag"
        assert equal[f"aws:{kind}/ephemeral"] == "true"
    assert "ec2:CreateAction" in statements["TagWhatIsMade"]["Condition"]["StringEquals"]
    rules = statements["MakeRules"]
    assert str(rules["Resource"]).endswith(":security-group-rule/*")
    may_tag = statements["TagWhatIsMade"]["Condition"]["StringEquals"]["ec2:CreateAction"]
    assert {f"ec2:{one}" for one in may_tag} >= {*listed(rules["Action"]), "ec2:CreateVpc"}
    assert statements["LogIn"]["Condition"]["StringEquals"] == {"ssm:resourceTag/ephemeral": "true"}
    assert all("eph-" in arn for arn in statements["Named"]["Resource"])
    everything = [action for one in statements.values() for action in listed(one["Action"])]
    assert {a for a in everything if a.startswith("iam:")} == {
        "iam:GetInstanceProfile",
        "iam:PassRole",
    }


def test_ci_lends_its_keys_and_uses_no_other(stacks: dict[str, Stack]) -> None:
    stack = stacks["daily-warm"]
    aliases = [one for one in stack.of("kms/alias:Alias") if one.parent == "ci"]
    assert {one.inputs["name"] for one in aliases} == {"alias/eph-shared"}
    assert set(stack.outputs["ci"]["keys"]) == set(APART.values())
    policy = json.loads(stack.one("opsctl-ci-policy").inputs["policy"])
    for statement in policy["Statement"]:
        if any(action.startswith("kms:") for action in listed(statement["Action"])):
            named = statement["Condition"]["ForAnyValue:StringLike"]["kms:ResourceAliases"]
            assert named == "alias/eph-shared"


def test_an_ephemeral_environment_takes_the_names_and_roles_that_ci_may_use(
    stacks: dict[str, Stack],
) -> None:
    stack = stacks["ephemeral"]
    template = stack.one("trading-a-template").inputs
    assert template["iamInstanceProfile"] == {"name": "opsctl-ephemeral-hosts"}
    assert stack.one("a-vpc-flow-group").inputs["kmsKeyId"] == KEY
    flows = stack.one("a-vpc-flows").inputs["iamRoleArn"]
    assert flows == "arn:aws:iam::123456789012:role/opsctl/opsctl-ephemeral-flow-logs"
    for kind in ("s3/bucket:Bucket", "sns/topic:Topic", "secretsmanager/secret:Secret"):
        for one in stack.of(kind):
            assert one.inputs.get("bucket", one.inputs.get("name", "")).startswith("eph-books")
    assert all(one.inputs["forceDestroy"] for one in stack.of("s3/bucket:Bucket"))
    assert stack.one("database", "rds/instance").inputs["deletionProtection"] is False


def test_what_a_host_is_started_with_is_tagged_from_the_first_moment(
    stacks: dict[str, Stack],
) -> None:
    template = stacks["ephemeral"].one("trading-a-template").inputs
    kinds = {one["resourceType"]: one["tags"] for one in template["tagSpecifications"]}
    assert kinds.keys() == {"instance", "network-interface", "volume"}
    assert all(tags["ephemeral"] == "true" for tags in kinds.values())
    host = stacks["ephemeral"].one("trading-a", "ec2/instance").inputs
    assert kinds["volume"] == host["rootBlockDevice"]["tags"]
    assert kinds["instance"].items() <= host["tags"].items()


def test_an_ephemeral_environment_makes_no_key_even_without_one_to_use() -> None:
    (stack,) = declared(made("weekly", "cold", ephemeral=True, expires="2030-01-01"))
    assert stack.of("kms/key:Key") == []
    assert "kmsKeyId" not in stack.one("trading-a-data").inputs
    encrypted = stack.one("backups-encryption").inputs["rules"][0]
    default = encrypted["applyServerSideEncryptionByDefault"]
    assert default == {"sseAlgorithm": "AES256"}
