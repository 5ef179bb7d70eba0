"""Snapshots on AWS: of the data volumes of hosts, and of the managed database.

Each bears tags that say of what environment, set and resource it is, until when it is kept and
who took it. They are given with the call that makes it: one that a killed command made is found.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import date, datetime
from typing import Any, Literal

from opsctl.infra.aws.asking import Asking
from opsctl.infra.aws.stated import Stated
from opsctl.infra.snapshots import Snapshot, Source

SET, RESOURCE, BY = "snapshot", "resource", "made-by"
"""Tags that only these snapshots have, beside `environment` and `expires`."""
_STATES: Mapping[str, Literal["completed", "failed"]] = {
    "completed": "completed",
    "available": "completed",
    "error": "failed",
    "failed": "failed",
}


def sources(resources: Iterable[Stated]) -> tuple[Source, ...]:
    """Return what holds data on the hosts and in the managed database; copies left out."""
    found = []
    for one in resources:
        site = str((one.inputs.get("tags") or {}).get("site", ""))
        if one.type == "aws:ebs/volume:Volume":
            kind: Literal["volume", "database"] = "volume"
            id_ = one.id
        elif one.type == "aws:rds/instance:Instance" and not one.inputs.get("replicateSourceDb"):
            kind, id_ = "database", str(one.outputs["identifier"])
        else:
            continue
        found.append(Source(kind=kind, resource=one.name, id=id_, region=one.region, site=site))
    return tuple(found)


class Vault:
    """The snapshots of one environment."""

    def __init__(self, asked: Asking, environment: str, regions: Iterable[str]) -> None:
        """Look in these regions."""
        self._asked, self._environment = asked, environment
        self._regions = tuple(dict.fromkeys(regions))

    def all(self) -> tuple[Snapshot, ...]:
        """Return them, the newest first."""
        with ThreadPoolExecutor(8, thread_name_prefix="snapshots") as pool:
            looks = [
                pool.submit(look, region)
                for region in self._regions
                for look in (self._volumes, self._databases)
            ]
            found = [one for look in looks for one in look.result()]
        return tuple(sorted(found, key=lambda one: (one.made, one.resource), reverse=True))

    def take(self, source: Source, name: str, tags: Mapping[str, str]) -> str:
        """Begin a snapshot of something; return its id."""
        every = {
            **tags,
            "environment": self._environment,
            "site": source.site,
            "Name": f"{self._environment}-{source.resource}-{name}",
            SET: name,
            RESOURCE: source.resource,
        }
        said = [{"Key": key, "Value": value} for key, value in every.items() if value]
        if source.kind == "database":
            id_ = f"{source.id}-{name}"
            self._asked(
                "rds",
                source.region,
                lambda rds: rds.create_db_snapshot(
                    DBSnapshotIdentifier=id_, DBInstanceIdentifier=source.id, Tags=said
                ),
            )
            return id_
        made = self._asked(
            "ec2",
            source.region,
            lambda ec2: ec2.create_snapshot(
                VolumeId=source.id,
                Description=every["Name"],
                TagSpecifications=[{"ResourceType": "snapshot", "Tags": said}],
            ),
        )
        return str(made["SnapshotId"])

    def delete(self, one: Snapshot) -> None:
        """Delete a snapshot."""
        if one.kind == "database":
            self._asked(
                "rds", one.region, lambda rds: rds.delete_db_snapshot(DBSnapshotIdentifier=one.id)
            )
        else:
            self._asked("ec2", one.region, lambda ec2: ec2.delete_snapshot(SnapshotId=one.id))

    def _volumes(self, region: str) -> Iterator[Snapshot]:
        wanted = [
            {"Name": "tag:environment", "Values": [self._environment]},
            {"Name": "tag-key", "Values": [SET]},
        ]

        def ask(ec2: Any) -> list[Any]:
            pages = ec2.get_paginator("describe_snapshots")
            found = pages.paginate(OwnerIds=["self"], Filters=wanted)
            return [one for page in found for one in page["Snapshots"]]

        for one in self._asked("ec2", region, ask):
            percent = str(one.get("Progress") or "0").rstrip("%")
            yield _snapshot(
                _tags(one.get("Tags")),
                id=one["SnapshotId"],
                kind="volume",
                source=one["VolumeId"],
                region=region,
                state=_STATES.get(one["State"], "running"),
                percent=int(percent or 0),
                size_gb=one["VolumeSize"],
                made=one["StartTime"],
            )

    def _databases(self, region: str) -> Iterator[Snapshot]:
        def ask(rds: Any) -> list[Any]:
            pages = rds.get_paginator("describe_db_snapshots").paginate(SnapshotType="manual")
            return [one for page in pages for one in page["DBSnapshots"]]

        for one in self._asked("rds", region, ask):
            tags = _tags(one.get("TagList"))
            if tags.get("environment") == self._environment and SET in tags:
                yield _snapshot(
                    tags,
                    id=one["DBSnapshotIdentifier"],
                    kind="database",
                    source=one["DBInstanceIdentifier"],
                    region=region,
                    state=_STATES.get(one["Status"], "running"),
                    percent=int(one.get("PercentProgress") or 0),
                    size_gb=one["AllocatedStorage"],
                    made=one.get("SnapshotCreateTime") or one["InstanceCreateTime"],
                )


def _tags(found: Iterable[Mapping[str, str]] | None) -> dict[str, str]:
    return {one["Key"]: one["Value"] for one in found or ()}


def _snapshot(tags: Mapping[str, str], *, made: datetime, **said: Any) -> Snapshot:
    try:
        expires = date.fromisoformat(tags.get("expires", ""))
    except ValueError:
        expires = None
    return Snapshot(
        name=tags[SET],
        resource=tags.get(RESOURCE, ""),
        expires=expires,
        by=tags.get(BY, ""),
        made=made,
        **said,
    )
