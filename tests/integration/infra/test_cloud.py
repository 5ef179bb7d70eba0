"""An environment in the cloud, from its file to nothing left: the commands, on AWS for tests."""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.aws.firm import Firm
from tests.support.aws.plain import PlainPulumi
from tests.support.aws.server import KEY, REGION
from tests.support.process import folder

LOGS = "aws:cloudwatch/logGroup:LogGroup"


def test_from_its_file_to_nothing_left(firm: Firm) -> None:
    planned = firm.json("plan", "cloud")
    assert {one["action"] for one in planned["changes"]} == {"create"}
    assert planned["guardrails"]["verdict"] != "refused"
    components, created = previewed_by_plain_pulumi(firm)
    assert created == len(planned["changes"]) + components + 1  # and the stack itself
    assert "there are no hosts yet" in planned["services_unknown"]
    assert firm.networks() == []

    made = firm.json("deploy", "cloud", "--only", "infrastructure")
    assert len(made["changes"]) == len(planned["changes"])
    (instance,) = firm.instances()
    (host,) = made["outputs"]["hosts"]["value"]
    assert (host["instance"], host["address"]) == (
        instance["InstanceId"],
        instance["PrivateIpAddress"],
    )
    assert instance["MetadataOptions"]["HttpTokens"] == "required"
    assert "PublicIpAddress" not in instance
    assert {t["Key"] for t in instance["Tags"]} >= {"environment", "tier", "dr", "site", "owner"}
    planned = firm.json("plan", "cloud")
    assert (planned["changes"], planned["services"]) == ([], None)
    assert planned["guardrails"]["verdict"] == "passed"
    assert "were not met yet" in planned["services_unknown"]

    # One setting is another: so is what it is of, and nothing besides.
    firm.write_cloud(log_days=90)
    (change, *others) = firm.json("plan", "cloud")["changes"]
    assert {change["kind"], *(one["kind"] for one in others)} == {LOGS}
    (differs,) = change["properties"]
    assert (differs["path"], differs["old"], differs["new"]) == ("retentionInDays", 365, 90)
    firm.run("deploy", "cloud", "--only", "infrastructure")

    # Somebody changes it by hand.
    logs = firm.server.client("logs")
    group = logs.describe_log_groups()["logGroups"][0]["logGroupName"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    (drifted,) = firm.json("stack", "drift", "cloud", code=3)["resources"]
    assert [one["path"] for one in drifted["properties"]] == ["retentionInDays"]
    said = firm.run("deploy", "cloud", "--only", "infrastructure", code=1).stderr
    assert "retentionInDays: declared 90, is 7" in said
    firm.run("deploy", "cloud", "--only", "infrastructure", "--overwrite-drift")
    assert logs.describe_log_groups()["logGroups"][0]["retentionInDays"] == 90

    # What holds data goes when it is named.
    said = firm.run("destroy", "cloud", "--yes", code=1).stderr
    names = re.findall(r"--replace-data (\S+)", said)
    assert len(firm.instances()) == 1
    firm.run("destroy", "cloud", "--yes", *(w for n in names for w in ("--replace-data", n)))
    assert (firm.instances(), firm.networks()) == ([], [])
    assert firm.server.client("s3").list_buckets()["Buckets"] == []
    assert "nothing to destroy" in firm.run("destroy", "cloud", "--yes").stdout


def test_what_cannot_be_is_refused_before_anything_is_made(firm: Firm) -> None:
    for words in (("health",), ("stack", "snapshot", "--name", "one")):
        said = firm.run(*words, "cloud", code=2).stderr
        assert "opsctl deploy cloud" in said
    firm.write_cloud(account="210987654321")
    said = firm.run("plan", "cloud", code=2).stderr
    assert f"these are credentials of account {firm.server.account}" in said
    firm.write_cloud()
    firm.variables["AWS_ACCESS_KEY_ID"] = ""
    said = firm.run("deploy", "cloud", "--only", "infrastructure", code=1).stderr
    assert "log in first" in said
    assert firm.networks() == []
    firm.variables["AWS_ACCESS_KEY_ID"] = KEY
    firm.write_cloud(aws={"database": {"kind": "rds"}})
    said = firm.run("deploy", "cloud", code=2).stderr
    assert "opsctl deploy cloud --only infrastructure" in said
    assert firm.networks() == []


def test_an_ephemeral_environment_takes_the_key_that_ci_was_given(firm: Firm) -> None:
    firm.prepare_ci()
    firm.write_cloud(aws={"ephemeral": True, "expires": "2099-12-31", "backup_region": "none"})
    said = firm.run("plan", "cloud", code=2).stderr
    assert f"needs a key in {REGION}" in said
    assert "alias/eph-shared" in said
    kms = firm.server.client("kms")
    key = kms.create_key(Description="of CI")["KeyMetadata"]
    kms.create_alias(AliasName="alias/eph-shared", TargetKeyId=key["KeyId"])
    planned = firm.json("plan", "cloud")
    assert "AWS-ENC-004" not in [one["rule"] for one in planned["guardrails"]["findings"]]
    assert planned["guardrails"]["verdict"] != "refused"


def previewed_by_plain_pulumi(firm: Firm) -> tuple[int, int]:
    """Return how many components, and resources to create, who has Pulumi sees in a preview."""
    program = (Path(__file__).parents[3] / "stacks" / "__main__.py").read_text()
    with folder() as home:
        plain = PlainPulumi(home, firm.server, program)
        file = plain.project / "Pulumi.test.yaml"
        file.write_text(file.read_text() + (firm.home / "Pulumi.cloud.yaml").read_text())
        said = plain.run("preview", "--non-interactive")
    (created,) = {int(number) for number in re.findall(r"\+ (\d+) to create", said)}
    return len(re.findall(r"trading:aws:", said)), created
