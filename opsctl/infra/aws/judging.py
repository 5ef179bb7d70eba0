"""What AWS's answers on a part say of its health. Pure.

Each takes the resource as the stack declared it, and AWS's answer in boto3's form: None where AWS
has no such thing.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from opsctl.health.managed import Kind, Part, State
from opsctl.infra.aws.stated import Stated

Answer = Mapping[str, Any]

LAG_S = 60.0
"""Most that a replica may be behind: that much is lost where it takes over. AWS names no figure."""
LEAST_FREE = 0.1
"""Least part of a database's storage that has to be free: full, it stops."""
WORKS = frozenset(
    (
        "available",
        "backing-up",
        "configuring-enhanced-monitoring",
        "configuring-iam-database-auth",
        "configuring-log-exports",
        "modifying",
        "moving-to-vpc",
        "resetting-master-credentials",
        "storage-config-upgrade",
        "storage-initialization",
        "storage-optimization",
    )
)
"""What a managed database may be at and still answer, as AWS documents its statuses."""
GONE = "is gone"


def host(one: Stated, answer: Answer | None) -> Part:
    """Judge an instance by its own status and that of the machine under it."""
    if answer is None:
        return part("host", one, "unhealthy", GONE)
    running = answer["InstanceState"]["Name"]
    if running != "running":
        return part("host", one, "unhealthy", f"is {running}")
    checks = {
        "the host": answer["InstanceStatus"]["Status"],
        "the machine under it": answer["SystemStatus"]["Status"],
    }
    if "AttachedEbsStatus" in answer:
        checks["its volumes"] = answer["AttachedEbsStatus"]["Status"]
    said = "; ".join(f"{what}: {status}" for what, status in checks.items() if status != "ok")
    coming = "; ".join(
        f"{event['Code']} on {event['NotBefore']:%Y-%m-%dT%H:%M:%SZ}"
        for event in answer.get("Events") or ()
        if not str(event.get("Description", "")).startswith(("[Completed]", "[Canceled]"))
    )
    detail = "; ".join(filter(None, (said or "runs, all status checks pass", coming)))
    if "impaired" in checks.values():
        return part("host", one, "unhealthy", detail)
    return part("host", one, "unknown" if said else "healthy", detail)


def database(one: Stated, answer: Answer | None) -> Part:
    """Judge a managed database by its status, and by whether its standby is there."""
    if answer is None:
        return part("database", one, "unhealthy", GONE)
    status = str(answer["DBInstanceStatus"])
    if status not in WORKS:
        return part("database", one, "unhealthy", f"is {status}")
    if one.inputs.get("multiAz") and not answer.get("MultiAZ"):
        return part("database", one, "unhealthy", f"is {status}, without its standby (Multi-AZ)")
    zones = (answer.get("AvailabilityZone"), answer.get("SecondaryAvailabilityZone"))
    where = " and ".join(filter(None, zones))
    kind = "Multi-AZ" if answer.get("MultiAZ") else "one zone"
    return part("database", one, "healthy", f"is {status}, {kind}{f' ({where})' if where else ''}")


def storage(one: Stated, answer: Answer, free_bytes: float | None) -> Part:
    """Judge the storage of a managed database by what CloudWatch says is free of it."""
    size_gb = float(answer["AllocatedStorage"])
    if free_bytes is None:
        return part("storage", one, "unknown", f"of {size_gb:.0f} GiB CloudWatch says nothing")
    free_gb = free_bytes / 2**30
    detail = f"{free_gb:.1f} of {size_gb:.0f} GiB free"
    if free_gb < LEAST_FREE * size_gb:
        return part("storage", one, "unhealthy", f"{detail}: less than {LEAST_FREE:.0%}")
    return part("storage", one, "healthy", detail)


def replica(one: Stated, answer: Answer, lag_s: float | None) -> Part:
    """Judge a replica by whether it replicates, and how far it is behind."""
    if not answer.get("ReadReplicaSourceDBInstanceIdentifier"):
        return part("replica", one, "unhealthy", "is no replica any more: it was promoted")
    for info in answer.get("StatusInfos") or ():
        if info.get("StatusType") == "read replication" and not info.get("Normal", True):
            said = info.get("Message") or "AWS says no reason"
            return part("replica", one, "unhealthy", f"replication: {info.get('Status')}, {said}")
    if lag_s is None:
        return part("replica", one, "unknown", "how far it is behind CloudWatch does not say")
    if lag_s < 0:  # AWS's own word for it
        return part("replica", one, "unhealthy", "does not replicate")
    detail = f"{lag_s:.0f} s behind"
    if lag_s > LAG_S:
        return part("replica", one, "unhealthy", f"{detail}: more than {LAG_S:.0f} s")
    return part("replica", one, "healthy", detail)


def alarm(one: Stated, answer: Answer | None) -> Part:
    """Judge an alarm by its state."""
    if answer is None:
        return part("alarm", one, "unhealthy", f"{GONE}: nobody would be told")
    state, reason = answer["StateValue"], str(answer.get("StateReason") or "").strip()
    if state == "OK":
        return part("alarm", one, "healthy", "OK")
    detail = f"{state}{f': {reason}' if reason else ''}"
    return part("alarm", one, "unhealthy" if state == "ALARM" else "unknown", detail)


def health_check(one: Stated, answer: Answer | None, status: float | None) -> Part:
    """Judge a health check of Route 53; `status` is what CloudWatch has of it, 1 for healthy."""
    if answer is None:
        return part("health-check", one, "unhealthy", f"{GONE}: names do not fail over")
    config = answer["HealthCheckConfig"]
    if config.get("Disabled"):
        return part("health-check", one, "unhealthy", "is switched off: names do not fail over")
    if config.get("Inverted"):
        return part("health-check", one, "unhealthy", "is inverted: names lead to what is down")
    if status is None:
        return part("health-check", one, "unknown", "CloudWatch has no status of it")
    if status < 1:
        return part("health-check", one, "unhealthy", "fails: its name leads elsewhere")
    return part("health-check", one, "healthy", "passes")


def bucket_copy(one: Stated, answer: Answer | None, versioning: Mapping[str, str]) -> Part:
    """Judge whether a bucket is copied: its rules, and that each bucket of the way keeps versions.

    `versioning` is the state of each bucket's, empty where the bucket is not there.
    """
    if answer is None:
        return part("bucket-copy", one, "unhealthy", "nothing is copied: the replication is gone")
    rules = answer["ReplicationConfiguration"]["Rules"]
    off = [str(rule.get("ID", "")) for rule in rules if rule["Status"] != "Enabled"]
    if off or not rules:
        return part("bucket-copy", one, "unhealthy", f"switched off: {', '.join(off) or 'all'}")
    for bucket, state in versioning.items():
        if state != "Enabled":
            why = "keeps no versions" if state else GONE
            return part("bucket-copy", one, "unhealthy", f"nothing is copied: {bucket} {why}")
    to = ", ".join(bucket for bucket in versioning if bucket != one.inputs.get("bucket"))
    return part("bucket-copy", one, "healthy", f"is copied to {to}")


def key(one: Stated, answer: Answer | None) -> Part:
    """Judge a key: what it encrypts is readable while it is enabled."""
    if answer is None:
        return part("key", one, "unhealthy", f"{GONE}: what it encrypts cannot be read")
    metadata = answer["KeyMetadata"]
    state = metadata["KeyState"]
    if state == "Enabled":
        return part("key", one, "healthy", "is enabled")
    when = metadata.get("DeletionDate")
    until = f", deleted on {when:%Y-%m-%d} unless that is cancelled" if when else ""
    return part("key", one, "unhealthy", f"is {state}{until}: what it encrypts cannot be read")


def part(kind: Kind, one: Stated, state: State, detail: str) -> Part:
    """Return what was found of a resource."""
    id_ = one.outputs.get("identifier") or one.id
    return Part(
        kind=kind, name=one.name, region=one.region, id=str(id_), state=state, detail=detail
    )
