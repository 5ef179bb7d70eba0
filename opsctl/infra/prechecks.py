"""What an account has to allow before an update is begun, and whether it does. Pure.

An update that fails half-way costs an hour; what is known before costs a line in the plan.
"""

from __future__ import annotations

from enum import StrEnum

from opsctl.model.value import Value


class Known(StrEnum):
    """What is known of one thing that an update needs."""

    REFUSED = "refused"
    """AWS would refuse it."""
    UNKNOWN = "unknown"
    """It could not be asked."""


class Precheck(Value):
    """One thing that an update needs and does not have, or of which that is not known."""

    check: str
    """`instance-type`, `quota`, `bucket-name`, `permission`."""
    subject: str
    verdict: Known
    problem: str
    comply: str
    """What to do about it."""


class Quota(Value):
    """What an account may have of something in a region, has, and would have more."""

    name: str
    region: str
    code: str
    """As Service Quotas calls it: `vpc/L-F678F1CE`."""
    wanted: int
    there: int | None = None
    """None: it could not be counted."""
    most: int | None = None
    """None: it could not be asked."""


class Facts(Value):
    """What an account was found to have of what a plan needs."""

    offered: dict[str, tuple[str, ...] | None] = {}
    """Instance type, as `c7i.large in ZONE` -> zones of its region that have it; None: unknown."""
    quotas: tuple[Quota, ...] = ()
    taken: dict[str, bool | None] = {}
    """Names of buckets to be made, and whether somebody has them; None: unknown."""
    denied: tuple[str, ...] = ()
    """Actions that the plan needs and the caller may not do."""
    permissions_unknown: str = ""
    """Why it is not known what the caller may do; empty where it is."""


def findings(facts: Facts) -> tuple[Precheck, ...]:
    """Return what stands against an update, what is unknown last."""
    found = [*_offered(facts), *_quotas(facts), *_taken(facts), *_permissions(facts)]
    return tuple(sorted(found, key=lambda one: one.verdict is Known.UNKNOWN))


def _offered(facts: Facts) -> list[Precheck]:
    found = []
    for subject, zones in facts.offered.items():
        kind, _, zone = subject.partition(" in ")
        if zones is None:
            found.append(_unknown("instance-type", subject, "its offers could not be asked"))
        elif zone not in zones:
            elsewhere = f"it is in {', '.join(zones)}" if zones else "its region has it nowhere"
            found.append(
                Precheck(
                    check="instance-type",
                    subject=subject,
                    verdict=Known.REFUSED,
                    problem=f"{zone} does not have {kind}: {elsewhere}",
                    comply="name another zone under aws.zones, or another type under aws.hosts",
                )
            )
    return found


def _quotas(facts: Facts) -> list[Precheck]:
    found = []
    for quota in facts.quotas:
        subject = f"{quota.name} in {quota.region}"
        if quota.there is None or quota.most is None:
            problem = f"{quota.wanted} more are needed, and the quota could not be asked"
            found.append(_unknown("quota", subject, problem))
        elif quota.there + quota.wanted > quota.most:
            service, _, code = quota.code.partition("/")
            asked = quota.there + quota.wanted
            found.append(
                Precheck(
                    check="quota",
                    subject=subject,
                    verdict=Known.REFUSED,
                    problem=f"{quota.there} are there, {quota.wanted} more are needed, and the "
                    f"account may have {quota.most}",
                    comply="aws service-quotas request-service-quota-increase --service-code "
                    f"{service} --quota-code {code} --desired-value {asked} "
                    f"--region {quota.region}; or remove what is not needed",
                )
            )
    return found


def _taken(facts: Facts) -> list[Precheck]:
    found = []
    for name, taken in facts.taken.items():
        if taken is None:
            found.append(_unknown("bucket-name", name, "whether it is free could not be asked"))
        elif taken:
            found.append(
                Precheck(
                    check="bucket-name",
                    subject=name,
                    verdict=Known.REFUSED,
                    problem="a bucket of another account, or of another region, has that name",
                    comply="give the environment another name, from which its buckets have theirs",
                )
            )
    return found


def _permissions(facts: Facts) -> list[Precheck]:
    if facts.permissions_unknown:
        return [_unknown("permission", "these credentials", facts.permissions_unknown)]
    return [
        Precheck(
            check="permission",
            subject=action,
            verdict=Known.REFUSED,
            problem="these credentials may not do it, and the plan needs it",
            comply="have it allowed by who runs the account, or use another role (AWS_PROFILE)",
        )
        for action in facts.denied
    ]


def _unknown(check: str, subject: str, problem: str) -> Precheck:
    return Precheck(
        check=check,
        subject=subject,
        verdict=Known.UNKNOWN,
        problem=problem,
        comply="nothing has to be done; it may fail while it is made, and then goes on from there",
    )
