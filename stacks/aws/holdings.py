"""What an environment keeps, and by which name people find it. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator

from opsctl.model.aws import AwsSettings, Role
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.tiers import DrTier, LatencyTier
from stacks.aws.latency import partner
from stacks.aws.naming import slug_of
from stacks.aws.parts import Bucket, DatabasePart, FailoverRecord, HostPart
from stacks.aws.places import Place


def database_part(
    environment: Environment, settings: AwsSettings, at: tuple[Place, ...]
) -> DatabasePart | None:
    """Return the managed database; None: the environment runs its own."""
    said = settings.database
    if said.kind != "rds":
        return None
    home = at[0]
    trading = [place for place in at if place.site != WITNESS]
    elsewhere = next((place.site for place in trading if place.region != home.region), "")
    by_tier = {LatencyTier.WEEKLY: "db.t4g.medium", LatencyTier.DAILY: "db.m7g.large"}
    return DatabasePart(
        name=f"{slug_of(environment.name, ephemeral=settings.ephemeral)}-books",
        site=home.site,
        replica_site=elsewhere,
        type=said.type or by_tier.get(environment.tier, "db.m7g.xlarge"),
        version=said.version,
        storage_gb=said.storage_gb,
        multi_az=environment.dr is not DrTier.COLD,
        backup_days=said.backup_days,
    )


def bucket_parts(
    environment: Environment, settings: AwsSettings, region: str
) -> tuple[Bucket, ...]:
    """Return the buckets of an environment, in the region of its first site."""
    copies = settings.backup_region or partner(region)
    if copies in ("none", region) or settings.ephemeral:
        copies = ""

    slug = slug_of(environment.name, ephemeral=settings.ephemeral)

    def bucket(use: str, lock_days: int) -> Bucket:
        return Bucket.model_validate(
            {
                "use": use,
                "name": _bucket_name(slug, use, settings.account, region),
                "region": region,
                "replica": copies and _bucket_name(slug, f"{use}-copy", settings.account, copies),
                "replica_region": copies,
                "lock_days": lock_days,
            }
        )

    return bucket("data", 0), bucket("backups", 0 if settings.ephemeral else settings.lock_days)


def _bucket_name(slug: str, use: str, account: str, region: str) -> str:
    # Names of buckets are shared by all of AWS, and have at most 63 characters.
    tail = hashlib.sha256(f"{account}/{region}/{slug}".encode()).hexdigest()[:10]
    return f"{slug}-{use}-{tail}"


def failover_records(domain: str, hosts: tuple[HostPart, ...]) -> Iterator[FailoverRecord]:
    """Yield what leads people to a site that is well, where there are two."""
    trading = [host for host in hosts if host.role == Role.TRADING]
    if len(trading) < 2:
        return
    for host, order in zip(trading, ("PRIMARY", "SECONDARY"), strict=False):
        yield FailoverRecord.model_validate(
            {
                "name": f"desk.{domain}",
                "site": host.site,
                "address": host.address,
                "order": order,
            }
        )
