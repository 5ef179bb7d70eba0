"""What AWS runs for an environment, as `opsctl health` tells it: the deployed stack, on moto."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from datetime import UTC, datetime

import jsonschema
import pytest

from opsctl.schemas import schema
from tests.support.aws.firm import Firm
from tests.support.aws.firm import firm as firms
from tests.support.aws.server import KEY
from tests.support.combinations import COMBINATIONS

ONE = COMBINATIONS["daily-warm"]
"""Three regions: a managed database and buckets with copies, names that fail over."""
HOME, AWAY = "eu-central-1", "eu-west-1"


@pytest.fixture(scope="module")
def made() -> Iterator[Firm]:
    """Return a firm whose environment of two regions was made; no service runs on it."""
    with firms() as firm:
        firm.write_combination(ONE)
        firm.run("deploy", ONE.name, "--only", "infrastructure")
        yield firm


@pytest.fixture
def told(made: Firm) -> Firm:
    """Return it where CloudWatch has every figure, as RDS and Route 53 give them."""
    free(made, 40)
    lag(made, 2)
    for id_ in checks(made).values():
        figure(made, "us-east-1", "AWS/Route53", "HealthCheckStatus", {"HealthCheckId": id_}, 1)
    return made


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


def test_each_fault_is_found_and_nothing_besides(told: Firm) -> None:
    client = told.server.client
    [host] = [one for one in told.instances(AWAY) if one["State"]["Name"] == "running"]
    [key] = [
        one
        for one in told.json("health", ONE.name, code=3)["managed"]["parts"]
        if (one["kind"], one["region"]) == ("key", HOME)
    ]
    data = told.json("stack", "outputs", ONE.name)["outputs"]["buckets"]["value"]["data"]
    replication = client("s3").get_bucket_replication(Bucket=data)["ReplicationConfiguration"]
    check = checks(told)["desk-a-health"]
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


def parts(firm: Firm) -> dict[tuple[str, str], tuple[str, str]]:
    """Return kind and name of what AWS runs -> state and detail, as `opsctl health` tells it."""
    found = firm.json("health", ONE.name, code=3)
    jsonschema.validate(found, schema("health"))
    assert (found["services"], found["managed"]["detail"]) == ([], "")
    assert found["services_unknown"] == f"{ONE.name} is not deployed"
    return {(p["kind"], p["name"]): (p["state"], p["detail"]) for p in found["managed"]["parts"]}


def checks(firm: Firm) -> dict[str, str]:
    """Return the health checks of Route 53 by the names of their declarations."""
    found = firm.json("health", ONE.name, code=3)["managed"]["parts"]
    return {one["name"]: one["id"] for one in found if one["kind"] == "health-check"}


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
