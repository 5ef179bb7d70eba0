"""A state in a bucket, its secrets encrypted by KMS: any machine goes on where another stopped."""

from __future__ import annotations

import re

from tests.support.aws.firm import Firm

SHARED = {
    "state": {
        "backend": "s3://states/books?use_path_style=true",
        "key": "awskms://alias/opsctl?region=eu-central-1",
    }
}


def test_another_machine_plans_deploys_and_destroys_from_the_bucket_alone(firm: Firm) -> None:
    kms, s3 = firm.server.client("kms"), firm.server.client("s3")
    key = kms.create_key()["KeyMetadata"]["KeyId"]
    kms.create_alias(AliasName="alias/opsctl", TargetKeyId=key)
    place = {"LocationConstraint": "eu-central-1"}
    s3.create_bucket(Bucket="states", CreateBucketConfiguration=place)
    firm.write_cloud(aws=SHARED)
    firm.run("deploy", "cloud", "--only", "infrastructure")
    folder = firm.home / "state/environments/cloud/infrastructure"
    assert not (folder / "state").exists()
    assert not (folder / "passphrase").exists()
    names = [one["Key"] for one in s3.list_objects_v2(Bucket="states")["Contents"]]
    assert "books/.pulumi/stacks/trading/cloud.json" in names

    firm.variables["OPSCTL_STATE"] = str(firm.home / "another")
    firm.write_cloud(log_days=90, aws=SHARED)
    (change,) = firm.json("plan", "cloud")["changes"]
    assert [one["path"] for one in change["properties"]] == ["retentionInDays"]
    logs = firm.server.client("logs")
    group = logs.describe_log_groups()["logGroups"][0]["logGroupName"]
    logs.put_retention_policy(logGroupName=group, retentionInDays=7)
    said = firm.run("deploy", "cloud", "--only", "infrastructure", code=1).stderr
    assert "is not as it was declared last" in said
    firm.run("deploy", "cloud", "--only", "infrastructure", "--overwrite-drift")
    assert len(firm.instances()) == len(firm.networks()) == 1

    firm.variables["OPSCTL_STATE"] = str(firm.home / "third")
    said = firm.run("destroy", "cloud", "--yes", code=1).stderr
    named = [w for n in re.findall(r"--replace-data (\S+)", said) for w in ("--replace-data", n)]
    firm.run("destroy", "cloud", "--yes", *named)
    assert (firm.instances(), firm.networks()) == ([], [])

    # The first machine remembers a stack that is gone by now.
    firm.variables["OPSCTL_STATE"] = str(firm.home / "state")
    assert "nothing to destroy" in firm.run("destroy", "cloud", "--yes").stdout
    assert {one["action"] for one in firm.json("plan", "cloud")["changes"]} == {"create"}
