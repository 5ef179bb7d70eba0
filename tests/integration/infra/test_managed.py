"""What AWS runs for an environment, as `opsctl health` tells it: the deployed stack, on moto."""

from __future__ import annotations

import re
import subprocess
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import jsonschema
import pytest

from opsctl.deploy.administrator import read
from opsctl.model.books import BooksAt
from opsctl.schemas import schema
from tests.support.aws.firm import Firm
from tests.support.aws.firm import firm as firms
from tests.support.aws.server import KEY
from tests.support.aws.story import Story
from tests.support.combinations import COMBINATIONS, Combination
from tests.support.process import wait_for
from tests.support.project import OPSCTL

ONE = COMBINATIONS["daily-warm"]
"""Three regions: a managed database and buckets with copies, names that fail over."""
HOME, AWAY = "eu-central-1", "eu-west-1"


@pytest.fixture(scope="module")
def story() -> Iterator[Story]:
    """Return the story of an environment of three regions that was made."""
    with firms() as firm:
        told = Story(firm, ONE)
        firm.run("deploy", ONE.name, "--only", "infrastructure")
        yield told


@pytest.fixture(scope="module")
def made(story: Story) -> Firm:
    """Return the firm whose environment it is; no service runs on it."""
    return story.firm


@pytest.fixture(scope="module")
def checks(made: Firm) -> dict[str, str]:
    """Return the health checks of Route 53 by the names of their declarations."""
    found = made.json("health", ONE.name, code=3)["managed"]["parts"]
    return {one["name"]: one["id"] for one in found if one["kind"] == "health-check"}


@pytest.fixture
def told(made: Firm, checks: dict[str, str]) -> Firm:
    """Return it where CloudWatch has every figure, as RDS and Route 53 give them."""
    free(made, 40)
    lag(made, 2)
    for id_ in checks.values():
        figure(made, "us-east-1", "AWS/Route53", "HealthCheckStatus", {"HealthCheckId": id_}, 1)
    return made


def test_it_is_what_its_tiers_promise(story: Story) -> None:
    story.as_promised()


def test_what_aws_runs_is_told_beside_services_that_cannot_be_seen(told: Firm) -> None:
    found = parts(told)
    assert {state for state, _ in found.values()} == {"healthy"}, found
    assert Counter(kind for kind, _ in found) == {
        "alarm": 6,
        "bucket-copy": 2,
        "database": 2,
        "health-check": 2,
        "host": 3,
        "key": 4,
        "replica": 1,
        "storage": 2,
    }
    assert found["replica", "database-copy"][1] == "2 s behind"
    assert found["storage", "database"][1] == "40.0 of 100 GiB free"
    shown = told.run("health", ONE.name, code=3).stdout
    assert "services: daily-warm is not deployed" in shown


def test_books_are_told_where_the_database_is_and_who_its_master_is(
    made: Firm, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    at = made.json("stack", "outputs", ONE.name)["outputs"]["database"]["value"]
    (found,) = made.server.client("rds", HOME).describe_db_instances()["DBInstances"]
    assert (at["host"], at["port"]) == (found["Endpoint"]["Address"], found["Endpoint"]["Port"])
    pem = "-----BEGIN CERTIFICATE-----\nTUlJQg==\n-----END CERTIFICATE-----\n"
    for name, value in made.server.environment.items():
        monkeypatch.setenv(name, value)
    master = read("a", BooksAt.model_validate({**at, "ca": pem}))
    assert master.user == found["MasterUsername"]
    made.run("stack", "export", ONE.name, str(tmp_path / "state"))
    assert master.password not in (tmp_path / "state").read_text()


def test_each_fault_is_found_and_nothing_besides(told: Firm, checks: dict[str, str]) -> None:
    client = told.server.client
    [host] = [one for one in told.instances(AWAY) if one["State"]["Name"] == "running"]
    [key] = [
        one
        for one in told.json("health", ONE.name, code=3)["managed"]["parts"]
        if (one["kind"], one["region"]) == ("key", HOME)
    ]
    data = told.json("stack", "outputs", ONE.name)["outputs"]["buckets"]["value"]["data"]
    replication = client("s3").get_bucket_replication(Bucket=data)["ReplicationConfiguration"]
    check = checks["desk-a-health"]
    try:
        client("ec2", AWAY).stop_instances(InstanceIds=[host["InstanceId"]])
        client("rds").stop_db_instance(DBInstanceIdentifier=f"{ONE.name}-books")
        client("kms").disable_key(KeyId=key["id"])
        client("s3").delete_bucket_replication(Bucket=data)
        client("route53").update_health_check(HealthCheckId=check, Disabled=True)
        alarm(told, "ALARM")
        lag(told, 300)
        free(told, 3)
        found = parts(told)
    finally:
        client("ec2", AWAY).start_instances(InstanceIds=[host["InstanceId"]])
        client("rds").start_db_instance(DBInstanceIdentifier=f"{ONE.name}-books")
        client("kms").enable_key(KeyId=key["id"])
        client("s3").put_bucket_replication(Bucket=data, ReplicationConfiguration=replication)
        client("route53").update_health_check(HealthCheckId=check, Disabled=False)
        alarm(told, "OK")
    assert {part: said for part, (state, said) in found.items() if state != "healthy"} == {
        ("alarm", "trading-a-host-alarm"): "ALARM: 2 of 2 datapoints",
        ("bucket-copy", "data-copying"): "nothing is copied: the replication is gone",
        ("database", "database"): "is stopped",
        ("health-check", "desk-a-health"): "is switched off: names do not fail over",
        ("host", "trading-b"): "is stopped",
        ("key", key["name"]): "is Disabled: what it encrypts cannot be read",
        ("replica", "database-copy"): "300 s behind: more than 60 s",
        ("storage", "database"): "3.0 of 100 GiB free: less than 10%",
    }


def test_what_may_not_be_asked_is_unknown_and_hides_nothing(told: Firm) -> None:
    with told.allowed("sts:*", "ec2:*", "s3:*", "monitoring:*"):  # as moto calls CloudWatch
        found = parts(told)
    refused = {kind for (kind, _), (state, _) in found.items() if state == "unknown"}
    assert refused == {"database", "key", "health-check"}
    rest = [state for (kind, _), (state, _) in found.items() if kind not in refused]
    assert rest == ["healthy"] * 11
    assert "AWS refuses rds:DescribeDBInstances in eu-central-1" in found["database", "database"][1]
    told.variables["AWS_ACCESS_KEY_ID"] = ""
    try:
        found = parts(told)
    finally:
        told.variables["AWS_ACCESS_KEY_ID"] = KEY
    assert len(found) == 19  # a database that cannot be asked has no rows for its figures
    assert all(state == "unknown" and "log in first" in said for state, said in found.values())


def test_snapshots_are_taken_once_listed_restored_and_pruned(made: Firm) -> None:
    ec2, rds = made.server.client("ec2"), made.server.client("rds")
    volumes = {"trading-a-data", "trading-b-data", "witness-data"}
    # Half of it fails: the same command takes the rest, and nothing twice.
    with made.allowed("sts:*", "ec2:*", "rds:Describe*"):
        said = made.run("stack", "snapshot", ONE.name, "--name", "one", code=1).stderr
    assert "AWS refuses rds:CreateDBSnapshot" in said
    done = snapshots(made, "--name", "one", "--days", "3")
    assert done["taken"] == [f"{ONE.name}-books-one"]
    assert of_set(done, "one").keys() == {*volumes, "database"}

    # Killed after one of a second set was begun: so it goes on.
    words = [OPSCTL, "stack", "snapshot", ONE.name, "--name", "two"]
    wanted = [{"Name": "tag:snapshot", "Values": ["two"]}]
    with subprocess.Popen(words, cwd=made.home, env=made.environment) as killed:
        wait_for(lambda: ec2.describe_snapshots(Filters=wanted)["Snapshots"], "one", timeout_s=60)
        killed.kill()
    before = ec2.describe_snapshots(Filters=wanted)["Snapshots"][0]["SnapshotId"]
    done = snapshots(made, "--name", "two")
    assert before not in done["taken"]
    found = of_set(done, "two")
    assert found.keys() == {*volumes, "database"}
    assert {one["state"] for one in found.values()} == {"completed"}
    assert found["database"]["by"].startswith("arn:aws:")
    kept = datetime.now(UTC).date() + timedelta(days=30)
    assert found["trading-a-data"]["expires"] == kept.isoformat()

    # What is restored from them is as large as what they are of.
    data, books = found["trading-a-data"], found["database"]
    restored = ec2.create_volume(SnapshotId=data["id"], AvailabilityZone=f"{HOME}a")
    assert restored["Size"] == data["size_gb"]
    ec2.delete_volume(VolumeId=restored["VolumeId"])
    again = {"DBInstanceIdentifier": "restored"}
    rds.restore_db_instance_from_db_snapshot(DBSnapshotIdentifier=books["id"], **again)
    rds.modify_db_instance(DeletionProtection=False, **again)
    rds.delete_db_instance(SkipFinalSnapshot=True, **again)

    # What is over goes; the last of everything stays, and what somebody else took.
    stranger = ec2.create_snapshot(VolumeId=data["source"])["SnapshotId"]
    for one in (of_set(done, "one")["trading-a-data"], *found.values()):
        if one["kind"] == "volume":
            made.server.client("ec2", one["region"]).create_tags(
                Resources=[one["id"]], Tags=[{"Key": "expires", "Value": "2026-01-01"}]
            )
    said = made.run("stack", "snapshot", ONE.name, "--prune", code=2).stderr
    assert "--yes" in said
    pruned = snapshots(made, "--prune", "--yes")
    assert pruned["pruned"] == [of_set(done, "one")["trading-a-data"]["id"]]
    left = snapshots(made, "--list")
    assert of_set(left, "one").keys() == {"trading-b-data", "witness-data", "database"}
    assert of_set(left, "two").keys() == {*volumes, "database"}
    assert len(ec2.describe_snapshots(SnapshotIds=[stranger])["Snapshots"]) == 1


def test_more_than_a_few_deletions_take_a_number_on_the_command_line(made: Firm) -> None:
    without = COMBINATIONS["daily-warm"].settings.keys() - {"database"}
    made.write_combination(Combination("daily", "warm", {k: ONE.settings[k] for k in without}))
    named = ["--replace-data", "database", "--replace-data", "database-copy"]
    asked = ["deploy", ONE.name, "--only", "infrastructure", *named, "--max-deletions", "6"]
    said = made.run(*asked, code=1).stderr
    told = re.search(r"AWS-CHG-001 .*: (\d+) resources would be .* and at most 6 may be", said)
    assert told, said
    assert "--max-deletions N" in said
    planned = made.json("plan", ONE.name, *named, "--max-deletions", told[1])
    assert planned["guardrails"]["verdict"] == "passed"
    gone = [one for one in planned["changes"] if one["action"] == "delete"]
    assert len(gone) == int(told[1])
    assert len(made.server.client("rds").describe_db_instances()["DBInstances"]) == 1


def snapshots(firm: Firm, *words: str) -> Any:
    """Run `opsctl stack snapshot`; return what it says, which fits its schema."""
    found = firm.json("stack", "snapshot", ONE.name, *words)
    jsonschema.validate(found, schema("stack-snapshot"))
    return found


def of_set(said: Any, name: str) -> dict[str, dict[str, Any]]:
    """Return the snapshots of a set by what they are of; fail where there are two of one."""
    found = [one for one in said["snapshots"] if one["name"] == name]
    assert len({one["resource"] for one in found}) == len(found), found
    return {one["resource"]: one for one in found}


def parts(firm: Firm) -> dict[tuple[str, str], tuple[str, str]]:
    """Return kind and name of what AWS runs -> state and detail, as `opsctl health` tells it."""
    found = firm.json("health", ONE.name, code=3)
    jsonschema.validate(found, schema("health"))
    assert (found["services"], found["managed"]["detail"]) == ([], "")
    assert found["services_unknown"] == f"{ONE.name} is not deployed"
    return {(p["kind"], p["name"]): (p["state"], p["detail"]) for p in found["managed"]["parts"]}


def alarm(firm: Firm, state: str) -> None:
    """Have an alarm be in a state."""
    firm.server.client("cloudwatch").set_alarm_state(
        AlarmName=f"{ONE.name}-trading-a-host-alarm",
        StateValue=state,
        StateReason="2 of 2 datapoints",
    )


def free(firm: Firm, gb: float) -> None:
    """Have CloudWatch know what is free of the storage of the database, and of its copy much."""
    for name, region, size in (("books", HOME, gb), ("books-copy", AWAY, 90.0)):
        of = {"DBInstanceIdentifier": f"{ONE.name}-{name}"}
        figure(firm, region, "AWS/RDS", "FreeStorageSpace", of, size * 2**30)


def lag(firm: Firm, seconds: float) -> None:
    """Have CloudWatch know how far the copy of the database is behind."""
    of = {"DBInstanceIdentifier": f"{ONE.name}-books-copy"}
    figure(firm, AWAY, "AWS/RDS", "ReplicaLag", of, seconds)


def figure(
    firm: Firm, region: str, namespace: str, metric: str, of: dict[str, str], value: float
) -> None:
    """Have CloudWatch know a figure of this moment."""
    dimensions = [{"Name": name, "Value": each} for name, each in of.items()]
    data = {"MetricName": metric, "Value": value, "Dimensions": dimensions}
    firm.server.client("cloudwatch", region).put_metric_data(
        Namespace=namespace, MetricData=[{**data, "Timestamp": datetime.now(UTC)}]
    )
