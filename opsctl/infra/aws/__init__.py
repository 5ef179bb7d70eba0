"""An environment on AWS: what it declares, by its settings and by what its account has.

boto3 asks for what is no declaration: whose credentials these are, which zones a region has,
and Debian's own image of this day. Everything else is decided by `stacks.aws`, which is pure.
"""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta
from functools import cache
from typing import TYPE_CHECKING

from opsctl.errors import OpsctlError, UsageError
from opsctl.infra import prechecks
from opsctl.infra.aws import lookup
from opsctl.infra.aws.asking import Asking, held_to
from opsctl.infra.declared import Declared
from opsctl.infra.guardrails import Facts
from opsctl.infra.prechecks import Precheck
from opsctl.infra.previewed import Action, Preview
from opsctl.infra.workspace import Workspace
from opsctl.model.aws import AwsSettings, Role, region_of
from opsctl.model.environment import WITNESS, Environment
from opsctl.model.ephemeral import Ephemeral
from opsctl.model.faults import written
from opsctl.model.hosts import PORT

if TYPE_CHECKING:
    from stacks.aws.design import Design
    from stacks.aws.ports import PortUse

DEBIAN = "136693071363"
"""The account in which Debian publishes its images."""
IMAGE = "debian-12-amd64-*"
CREDENTIALS_LAST = timedelta(hours=1)
"""Of the role of CI; `stacks.aws.ci_identity` says so."""
BOOKS_PORT = 5432
PAGE_PORT = 443


def declared(environment: Environment) -> Declared:
    """Return what an environment declares; its account is asked once, when it is first needed."""

    @cache
    def made() -> Design:
        return designed(environment)

    def program() -> None:
        from stacks.aws.program import export

        export(made())

    return Declared(
        program=program,
        workspace=Workspace(
            environment=environment.name,
            backend=environment.aws.state.backend,
            key=environment.aws.state.key,
        ),
        facts=lambda replace_data: facts(environment, made(), replace_data),
        waivers=environment.aws.waivers,
        unmet=lambda: made().unmet,
        prechecks=lambda seen: _prechecked(made(), seen),
        lookup=lookup.in_account(environment.aws.account),
        lock_lasts=lock_lasts(environment.ephemeral, datetime.now(UTC)),
    )


def lock_lasts(ephemeral: Ephemeral, now: datetime) -> timedelta | None:
    """Return for how long an engine may hold a lock of what is past its time; None of all else.

    Nobody is left to ask for it, and its job's credentials were good for an hour.
    """
    return CREDENTIALS_LAST if ephemeral.over(now) else None


def _prechecked(made: Design, seen: Preview) -> tuple[Precheck, ...]:
    """Return what stands against making what a preview would make."""
    from opsctl.infra.aws import prechecking

    new = [(one.type, one.name) for one in seen.changes if one.action is Action.CREATE]
    return prechecks.findings(prechecking.facts(made, new)) if new else ()


def designed(environment: Environment) -> Design:
    """Return what an environment is on AWS.

    Raises:
        UsageError: what its settings ask for cannot be, with every reason; or these are the
            credentials of another account.
        OpsctlError: there are no credentials, or AWS refuses them or does not answer.
    """
    from stacks.aws.design import design
    from stacks.aws.places import Discovered
    from stacks.aws.refused import Refused

    settings = environment.aws
    asked = Asking()
    held_to(settings.account, asked)
    if settings.ephemeral:
        settings = _with_shared_keys(asked, environment)
    regions = dict.fromkeys(region_of(settings, site) for site in environment.sites)
    wanted = [region for region in regions if region not in settings.images]
    try:
        found = Discovered(
            zones={region: _zones(asked, region) for region in regions},
            images={region: _image(asked, region) for region in wanted},
        )
        return design(environment, settings, ports(environment), found)
    except Refused as refusal:
        raise UsageError(
            f"{environment.name} cannot be on AWS as its file says",
            details=[f"{written(path)}: {problem}" for path, problem in refusal.reasons],
            hint=f"correct trading:aws in its file, then: opsctl plan {environment.name}",
        ) from refusal


def ports(environment: Environment) -> tuple[PortUse, ...]:
    """Return who connects to whom between hosts, and from outside.

    Between hosts there is one port, which takes a certificate of the environment's authority;
    all services of a host share it.
    """
    from stacks.aws.login import SSH_PORT
    from stacks.aws.ports import DATABASE, OPERATORS, PEOPLE, PortUse

    trading: tuple[str, ...] = (Role.TRADING.value,)
    hosts = (*trading, Role.WITNESS.value) if WITNESS in environment.sites else trading
    found = []
    if len(environment.sites) > 1:
        found += [
            PortUse(port=PORT, at=at, sources=hosts, why="links between sites, mutual TLS")
            for at in hosts
        ]
    if environment.aws.people:
        why = "people reach the dashboard, by TLS"
        found.append(PortUse(port=PAGE_PORT, at=Role.TRADING.value, sources=(PEOPLE,), why=why))
    if environment.aws.operators:
        why = "operators reach hosts by SSH, with a key"
        found += [
            PortUse(port=SSH_PORT, at=at, sources=(OPERATORS,), why=why)
            for at in dict.fromkeys(hosts)
        ]
    if environment.aws.database.kind == "rds":
        why = "the books, by TLS"
        found.append(PortUse(port=BOOKS_PORT, at=DATABASE, sources=trading, why=why))
    return tuple(found)


def facts(environment: Environment, made: Design, replace_data: Iterable[str] = ()) -> Facts:
    """Return what the guardrails need to know of an environment."""
    settings = environment.aws
    return Facts(
        dr=environment.dr,
        today=datetime.now(UTC).date(),
        regions=made.regions,
        owner=settings.owner,
        expires=date.fromisoformat(settings.expires) if settings.expires else None,
        ephemeral=settings.ephemeral,
        domains={network.site: network.place.zone for network in made.networks},
        cost_usd_year=environment.latency.cost_usd_year,
        replace_data=tuple(replace_data),
    )


def _with_shared_keys(asked: Asking, environment: Environment) -> AwsSettings:
    """Return the settings of an ephemeral environment with a key for each region of its sites.

    It makes none, as one costs a dollar and thirty days: what its file does not name is the key
    that the environment with `ci` made for all of them, by its alias.
    """
    from stacks.aws.policies import CI_KEY

    settings, alias = environment.aws, f"alias/{CI_KEY}"
    keys = dict(settings.keys)
    for region in dict.fromkeys(region_of(settings, site) for site in environment.sites):
        if region in keys:
            continue
        try:
            answer = asked("kms", region, lambda client: client.describe_key(KeyId=alias))
        except OpsctlError as fault:
            raise UsageError(
                f"{environment.name} is ephemeral and needs a key in {region}: {fault.message}",
                hint=f"deploy the environment whose file names the repository of the CI "
                f"(trading:aws.ci), which makes {alias}; or name a key under trading:aws.keys",
            ) from fault
        keys[region] = str(answer["KeyMetadata"]["Arn"])
    return settings.model_copy(update={"keys": keys})


def _zones(asked: Asking, region: str) -> tuple[str, ...]:
    ask = {"Name": "zone-type", "Values": ["availability-zone"]}
    answer = asked("ec2", region, lambda c: c.describe_availability_zones(Filters=[ask]))
    there = (one for one in answer["AvailabilityZones"] if one["State"] == "available")
    return tuple(sorted(one["ZoneName"] for one in there))


def _image(asked: Asking, region: str) -> str:
    """Return Debian's newest image; empty where it publishes none there."""
    ask = {"Name": "name", "Values": [IMAGE]}
    answer = asked("ec2", region, lambda c: c.describe_images(Owners=[DEBIAN], Filters=[ask]))
    images = sorted(answer["Images"], key=lambda one: str(one["CreationDate"]))
    return str(images[-1]["ImageId"]) if images else ""
