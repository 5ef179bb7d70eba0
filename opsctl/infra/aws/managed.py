"""Asks AWS how the managed parts of an environment are: those that its state has, all at once.

What cannot be asked is told of the part that it is of, and hides no other.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

from opsctl.errors import OpsctlError
from opsctl.health.managed import Kind, Part
from opsctl.infra.aws import judging
from opsctl.infra.aws.asking import Asking, held_to
from opsctl.infra.aws.stated import Stated, stated
from opsctl.model.aws import AwsSettings

AT_ONCE = 8
PATIENCE_S = 10.0
"""For how long an answer is waited for, twice."""
KEY = "aws:kms/key:Key"
LATELY = timedelta(minutes=15)
"""How old a figure of CloudWatch may be: RDS and Route 53 give one every minute."""
PERIOD_S = 60
LAG = "ReplicaLag"
"""Of which the greatest figure is the worst; of the others it is the least."""
ROUTE53_METRICS = "us-east-1"
"""The only region to which Route 53 gives the figures of its checks."""
ABSENT = frozenset(
    (
        "InvalidInstanceID.NotFound",
        "DBInstanceNotFound",
        "DBInstanceNotFoundFault",
        "NoSuchHealthCheck",
        "NoSuchBucket",
        "ReplicationConfigurationNotFoundError",
        "NotFoundException",
    )
)
"""What AWS calls it where what is asked for is not there."""


def parts(settings: AwsSettings, deployment: Mapping[str, Any] | None) -> tuple[Part, ...]:
    """Return every managed part in an exported state, and how it is, by kind and name."""
    order = list(KINDS)
    resources = sorted(
        (one for one in (*stated(deployment), *_given(settings)) if one.type in KINDS),
        key=lambda one: (order.index(one.type), one.name),
    )
    asked = Asking(timeout_s=PATIENCE_S)
    try:
        held_to(settings.account, asked)
    except OpsctlError as fault:
        return tuple(_not_asked(KINDS[one.type][0], one, fault) for one in resources)
    watch = _Watch(asked)
    looks = [partial(watch.looked, KINDS[one.type], one) for one in resources]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="managed") as pool:
        found = list(pool.map(lambda look: look(), looks))
    return tuple(part for each in found for part in each)


def _given(settings: AwsSettings) -> Iterator[Stated]:
    """Yield the keys that the environment was given: its stack made none in their regions."""
    for region, arn in settings.keys.items():
        yield Stated(type=KEY, name=f"key-{region}", id=arn, region=region, inputs={}, outputs={})


def _not_asked(kind: Kind, one: Stated, fault: OpsctlError) -> Part:
    return judging.part(kind, one, "unknown", f"{fault.message} ({fault.hint})")


class _Watch:
    """Looks at one resource after the other; threads share it."""

    def __init__(self, asked: Asking) -> None:
        self._asked = asked

    def looked(self, kind: tuple[Kind, _Look], one: Stated) -> list[Part]:
        """Return what was found of a resource; that it could not be asked, where so."""
        name, look = kind
        try:
            return look(self, one)
        except OpsctlError as fault:
            return [_not_asked(name, one, fault)]

    def host(self, one: Stated) -> list[Part]:
        found = self._or_none(
            "ec2",
            one.region,
            "describe_instance_status",
            InstanceIds=[one.id],
            IncludeAllInstances=True,
        )
        return [judging.host(one, _only(found, "InstanceStatuses"))]

    def database(self, one: Stated) -> list[Part]:
        name = one.outputs["identifier"]
        found = _only(
            self._or_none("rds", one.region, "describe_db_instances", DBInstanceIdentifier=name),
            "DBInstances",
        )
        said = [judging.database(one, found)]
        if found is None:
            return said
        of = {"DBInstanceIdentifier": str(name)}
        figures: list[tuple[Kind, str, Callable[[float | None], Part]]] = [
            ("storage", "FreeStorageSpace", partial(judging.storage, one, found))
        ]
        if one.inputs.get("replicateSourceDb"):
            figures.append(("replica", LAG, partial(judging.replica, one, found)))
        for kind, metric, judge in figures:
            try:
                said.append(judge(self._lately("AWS/RDS", one.region, metric, of)))
            except OpsctlError as fault:
                said.append(_not_asked(kind, one, fault))
        return said

    def alarm(self, one: Stated) -> list[Part]:
        name = str(one.outputs["name"])
        found = self._or_none("cloudwatch", one.region, "describe_alarms", AlarmNames=[name])
        return [judging.alarm(one, _only(found, "MetricAlarms"))]

    def health_check(self, one: Stated) -> list[Part]:
        found = self._or_none("route53", one.region, "get_health_check", HealthCheckId=one.id)
        if found is None:
            return [judging.health_check(one, None, None)]
        of = {"HealthCheckId": one.id}
        status = self._lately("AWS/Route53", ROUTE53_METRICS, "HealthCheckStatus", of)
        return [judging.health_check(one, found["HealthCheck"], status)]

    def bucket_copy(self, one: Stated) -> list[Part]:
        source = str(one.inputs["bucket"])
        found = self._or_none("s3", one.region, "get_bucket_replication", Bucket=source)
        if found is None:
            return [judging.bucket_copy(one, None, {})]
        rules = found["ReplicationConfiguration"]["Rules"]
        copies = [rule["Destination"]["Bucket"].rpartition(":")[2] for rule in rules]
        states = {bucket: self._versioning(one.region, bucket) for bucket in (source, *copies)}
        return [judging.bucket_copy(one, found, states)]

    def key(self, one: Stated) -> list[Part]:
        return [judging.key(one, self._or_none("kms", one.region, "describe_key", KeyId=one.id))]

    def _versioning(self, region: str, bucket: str) -> str:
        found = self._or_none("s3", region, "get_bucket_versioning", Bucket=bucket)
        return "" if found is None else str(found.get("Status", "never set"))

    def _lately(
        self, namespace: str, region: str, metric: str, of: Mapping[str, str]
    ) -> float | None:
        """Return the newest figure of a metric, the worst of its minute; None: there is none."""
        now = datetime.now(UTC)
        worst = "Maximum" if metric == LAG else "Minimum"
        found = self._asked(
            "cloudwatch",
            region,
            lambda client: client.get_metric_statistics(
                Namespace=namespace,
                MetricName=metric,
                Dimensions=[{"Name": name, "Value": value} for name, value in of.items()],
                StartTime=now - LATELY,
                EndTime=now + timedelta(seconds=PERIOD_S),
                Period=PERIOD_S,
                Statistics=[worst],
            ),
        )
        figures = sorted(found["Datapoints"], key=lambda figure: figure["Timestamp"])
        return float(figures[-1][worst]) if figures else None

    def _or_none(self, service: str, region: str, operation: str, **arguments: Any) -> Any:
        """Return an answer of AWS; None where it says that there is no such thing."""
        from botocore.exceptions import ClientError

        def ask(client: Any) -> Any:
            try:
                return getattr(client, operation)(**arguments)
            except ClientError as error:
                if str(error.response["Error"]["Code"]) in ABSENT:
                    return None
                raise

        return self._asked(service, region, ask)


def _only(answer: Mapping[str, Any] | None, results: str) -> Mapping[str, Any] | None:
    return next(iter((answer or {}).get(results) or ()), None)


_Look = Callable[[_Watch, Stated], list[Part]]

KINDS: Mapping[str, tuple[Kind, _Look]] = {
    "aws:ec2/instance:Instance": ("host", _Watch.host),
    "aws:rds/instance:Instance": ("database", _Watch.database),
    "aws:cloudwatch/metricAlarm:MetricAlarm": ("alarm", _Watch.alarm),
    "aws:route53/healthCheck:HealthCheck": ("health-check", _Watch.health_check),
    "aws:s3/bucketReplicationConfig:BucketReplicationConfig": ("bucket-copy", _Watch.bucket_copy),
    KEY: ("key", _Watch.key),
}
"""What is a managed part, by type, and how it is looked at; in the order in which it is told."""
