"""What an answer of AWS says of the health of a part."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from opsctl.health.managed import Managed, Part
from opsctl.infra.aws import judging
from opsctl.infra.aws.stated import Stated, stated

PROVIDER = "urn:pulumi:books::trading::pulumi:providers:aws::aws-eu-west-1"
DATABASE = "aws:rds/instance:Instance"


def resource(**inputs: Any) -> Stated:
    return Stated(
        type=DATABASE,
        name="database",
        id="db-OPAQUE",
        region="eu-west-1",
        inputs=inputs,
        outputs={"identifier": "books"},
    )


def found(part: Part) -> tuple[str, str]:
    return part.state, part.detail


def instance(**more: Any) -> dict[str, Any]:
    checked = {key: {"Status": "ok"} for key in ("InstanceStatus", "SystemStatus")}
    return {"InstanceState": {"Name": "running"}, **checked, **more}


@pytest.mark.parametrize(
    ("answer", "state", "detail"),
    [
        (instance(), "healthy", "runs, all status checks pass"),
        (None, "unhealthy", "is gone"),
        (instance(InstanceState={"Name": "stopped"}), "unhealthy", "is stopped"),
        (
            instance(SystemStatus={"Status": "impaired"}),
            "unhealthy",
            "the machine under it: impaired",
        ),
        (instance(InstanceStatus={"Status": "impaired"}), "unhealthy", "the host: impaired"),
        (instance(AttachedEbsStatus={"Status": "impaired"}), "unhealthy", "its volumes: impaired"),
        (instance(InstanceStatus={"Status": "initializing"}), "unknown", "the host: initializing"),
        (
            instance(SystemStatus={"Status": "insufficient-data"}),
            "unknown",
            "the machine under it: insufficient-data",
        ),
        (
            instance(
                Events=[
                    {
                        "Code": "instance-retirement",
                        "NotBefore": datetime(2026, 12, 3, 8, tzinfo=UTC),
                        "Description": "The instance runs on degraded hardware",
                    },
                    {
                        "Code": "system-reboot",
                        "NotBefore": datetime(2026, 11, 3, 8, tzinfo=UTC),
                        "Description": "[Completed] reboot",
                    },
                ]
            ),
            "healthy",
            "runs, all status checks pass; instance-retirement on 2026-12-03T08:00:00Z",
        ),
    ],
)
def test_hosts(answer: Any, state: str, detail: str) -> None:
    assert found(judging.host(resource(), answer)) == (state, detail)


@pytest.mark.parametrize(
    ("status", "multi_az", "state"),
    [
        ("available", True, "healthy"),
        ("backing-up", True, "healthy"),
        ("available", False, "unhealthy"),
        ("storage-full", True, "unhealthy"),
        ("failed", True, "unhealthy"),
        ("stopped", True, "unhealthy"),
        ("rebooting", True, "unhealthy"),
        ("a status of next year", True, "unhealthy"),
    ],
)
def test_databases_whose_standby_was_declared(status: str, multi_az: bool, state: str) -> None:
    answer = {"DBInstanceStatus": status, "MultiAZ": multi_az}
    assert judging.database(resource(multiAz=True), answer).state == state


def test_a_database_without_a_standby_was_declared_so() -> None:
    answer = {"DBInstanceStatus": "available", "AvailabilityZone": "eu-west-1a"}
    assert found(judging.database(resource(), answer)) == (
        "healthy",
        "is available, one zone (eu-west-1a)",
    )


@pytest.mark.parametrize(
    ("free_gb", "state"),
    [(50, "healthy"), (10, "healthy"), (9.9, "unhealthy"), (0, "unhealthy"), (None, "unknown")],
)
def test_storage_needs_a_tenth_of_it_free(free_gb: float | None, state: str) -> None:
    free = None if free_gb is None else free_gb * 2**30
    assert judging.storage(resource(), {"AllocatedStorage": 100}, free).state == state


@pytest.mark.parametrize(
    ("lag_s", "state"),
    [(0, "healthy"), (60, "healthy"), (61, "unhealthy"), (-1, "unhealthy"), (None, "unknown")],
)
def test_replicas_by_their_lag(lag_s: float | None, state: str) -> None:
    answer = {"ReadReplicaSourceDBInstanceIdentifier": "arn:..."}
    assert judging.replica(resource(), answer, lag_s).state == state


def test_a_replica_that_stopped_or_was_promoted_is_none() -> None:
    stopped = {
        "ReadReplicaSourceDBInstanceIdentifier": "arn:...",
        "StatusInfos": [
            {
                "StatusType": "read replication",
                "Normal": False,
                "Status": "error",
                "Message": "no room",
            }
        ],
    }
    assert found(judging.replica(resource(), stopped, 0)) == (
        "unhealthy",
        "replication: error, no room",
    )
    assert found(judging.replica(resource(), {}, 0)) == (
        "unhealthy",
        "is no replica any more: it was promoted",
    )


@pytest.mark.parametrize(
    ("answer", "state"),
    [
        ({"StateValue": "OK"}, "healthy"),
        ({"StateValue": "ALARM", "StateReason": "2 of 2"}, "unhealthy"),
        ({"StateValue": "INSUFFICIENT_DATA"}, "unknown"),
        (None, "unhealthy"),
    ],
)
def test_alarms(answer: Any, state: str) -> None:
    assert judging.alarm(resource(), answer).state == state


@pytest.mark.parametrize(
    ("config", "status", "state"),
    [
        ({}, 1, "healthy"),
        ({}, 0, "unhealthy"),
        ({}, None, "unknown"),
        ({"Disabled": True}, 1, "unhealthy"),
        ({"Inverted": True}, 1, "unhealthy"),
        (None, 1, "unhealthy"),
    ],
)
def test_health_checks(config: Any, status: float | None, state: str) -> None:
    answer = None if config is None else {"HealthCheckConfig": config}
    assert judging.health_check(resource(), answer, status).state == state


def test_copies_of_buckets() -> None:
    def judged(status: str, **versioning: str) -> tuple[str, str]:
        rules = [{"ID": "all", "Status": status}]
        answer = {"ReplicationConfiguration": {"Rules": rules}}
        return found(judging.bucket_copy(resource(bucket="data"), answer, versioning))

    assert judged("Enabled", data="Enabled", copy="Enabled") == ("healthy", "is copied to copy")
    assert judged("Disabled", data="Enabled", copy="Enabled")[0] == "unhealthy"
    assert judged("Enabled", data="Suspended", copy="Enabled") == (
        "unhealthy",
        "nothing is copied: data keeps no versions",
    )
    assert judged("Enabled", data="Enabled", copy="")[1] == "nothing is copied: copy is gone"
    assert judging.bucket_copy(resource(), None, {}).state == "unhealthy"


@pytest.mark.parametrize(
    ("state", "well"), [("Enabled", True), ("Disabled", False), ("PendingImport", False)]
)
def test_keys(state: str, well: bool) -> None:
    judged = judging.key(resource(), {"KeyMetadata": {"KeyState": state}})
    assert (judged.state == "healthy") is well
    assert judging.key(resource(), None).state == "unhealthy"


def test_a_key_that_is_to_be_deleted_says_when() -> None:
    metadata = {"KeyState": "PendingDeletion", "DeletionDate": datetime(2026, 12, 30, tzinfo=UTC)}
    assert "deleted on 2026-12-30" in judging.key(resource(), {"KeyMetadata": metadata}).detail


def test_parts_are_named_as_their_stack_and_aws_call_them() -> None:
    part = judging.database(resource(), None)
    assert (part.name, part.id, part.region) == ("database", "books", "eu-west-1")


def test_what_is_unknown_is_not_healthy() -> None:
    unknown = judging.storage(resource(), {"AllocatedStorage": 100}, None)
    well = judging.storage(resource(), {"AllocatedStorage": 100}, 2.0**37)
    assert Managed(parts=(well,)).healthy
    assert not Managed(parts=(well, unknown)).healthy
    assert not Managed(detail="the state cannot be read").healthy


def test_a_state_names_what_was_made_and_where() -> None:
    urn = f"urn:pulumi:books::trading::trading:aws:Data${DATABASE}::database"
    made = {"urn": urn, "type": DATABASE, "id": "db-1", "provider": f"{PROVIDER}::an-id"}
    provider = {
        "urn": PROVIDER,
        "type": "pulumi:providers:aws",
        "id": "an-id",
        "inputs": {"region": "eu-west-1"},
    }
    leaving = {**made, "id": "db-0", "delete": True}
    component = {"urn": "urn:...::data", "type": "trading:aws:Data"}
    [one] = stated({"resources": [provider, component, made, leaving]})
    assert (one.name, one.id, one.region, one.type) == ("database", "db-1", "eu-west-1", DATABASE)
    assert stated(None) == ()
