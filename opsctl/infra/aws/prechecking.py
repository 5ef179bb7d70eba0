"""Asks an account for what a plan needs: offers, quotas, names, permissions; all at once.

Only what is to be made is asked for; a plan that makes nothing asks nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any, TypeVar

from opsctl.errors import OpsctlError
from opsctl.infra.aws.asking import Asking
from opsctl.infra.prechecks import Facts, Quota

if TYPE_CHECKING:
    from stacks.aws.design import Design
    from stacks.aws.parts import HostPart

VPCS, ADDRESSES, VCPUS = "vpc/L-F678F1CE", "ec2/L-0263D0A3", "ec2/L-1216C47A"
"""VPCs a region; elastic addresses; vCPUs of running on-demand instances of standard families."""
RULES = "vpc/L-0EA8095F"
"""Inbound, or outbound, rules of one security group."""
RULES_AT_LEAST = 60
"""What every account may have of them: only who wants more is asked for."""
STANDARD = "acdhimrtz"
"""The families that share the last one; the others have quotas of their own."""
AT_ONCE = 8

_T = TypeVar("_T")

ACTIONS = {
    "aws:ec2/vpc:Vpc": "ec2:CreateVpc",
    "aws:ec2/subnet:Subnet": "ec2:CreateSubnet",
    "aws:ec2/securityGroup:SecurityGroup": "ec2:CreateSecurityGroup",
    "aws:ec2/natGateway:NatGateway": "ec2:CreateNatGateway",
    "aws:ec2/vpcEndpoint:VpcEndpoint": "ec2:CreateVpcEndpoint",
    "aws:ec2/flowLog:FlowLog": "ec2:CreateFlowLogs",
    "aws:ec2/launchTemplate:LaunchTemplate": "ec2:CreateLaunchTemplate",
    "aws:ec2/instance:Instance": "ec2:RunInstances",
    "aws:ebs/volume:Volume": "ec2:CreateVolume",
    "aws:iam/role:Role": "iam:CreateRole",
    "aws:iam/instanceProfile:InstanceProfile": "iam:CreateInstanceProfile",
    "aws:kms/key:Key": "kms:CreateKey",
    "aws:s3/bucket:Bucket": "s3:CreateBucket",
    "aws:secretsmanager/secret:Secret": "secretsmanager:CreateSecret",
    "aws:rds/instance:Instance": "rds:CreateDBInstance",
    "aws:route53/zone:Zone": "route53:CreateHostedZone",
    "aws:route53/healthCheck:HealthCheck": "route53:CreateHealthCheck",
    "aws:sns/topic:Topic": "sns:CreateTopic",
    "aws:cloudwatch/metricAlarm:MetricAlarm": "cloudwatch:PutMetricAlarm",
    "aws:cloudwatch/logGroup:LogGroup": "logs:CreateLogGroup",
    "aws:budgets/budget:Budget": "budgets:ModifyBudget",
}
"""What making one of a type takes at least."""


def facts(design: Design, made: Iterable[tuple[str, str]]) -> Facts:
    """Return what an account has of what a plan needs; `made` are type and name of what it makes.

    What cannot be asked is unknown, never an error.
    """
    made = tuple(made)
    names = {name for _, name in made}
    asked = Asking()
    own = frozenset(design.tagged(name)["Name"] for name in names)
    hosts = [host for host in design.hosts if host.name in names]
    wanted = [_Quota(*one) for one in _wanted(design, hosts, names)]
    buckets = [
        (name, region)
        for bucket in design.buckets
        for use, name, region in (
            (bucket.use, bucket.name, bucket.region),
            (f"{bucket.use}-copy", bucket.replica, bucket.replica_region),
        )
        if use in names and name
    ]
    actions = sorted({ACTIONS[kind] for kind, _ in made if kind in ACTIONS})
    machines = sorted({(host.machine.type, host.zone, host.region) for host in hosts})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        offered = {
            f"{kind} in {zone}": pool.submit(_offers, asked, region, kind)
            for kind, zone, region in machines
        }
        quotas = [pool.submit(one.asked, asked, hosts, own) for one in wanted]
        taken = {name: pool.submit(_taken, asked, name, region) for name, region in buckets}
        simulated = pool.submit(_denied, asked, actions)
    denied, unknown = simulated.result()
    return Facts(
        offered={subject: one.result() for subject, one in offered.items()},
        quotas=tuple(one.result() for one in quotas),
        taken={name: one.result() for name, one in taken.items()},
        denied=denied,
        permissions_unknown=unknown,
    )


def _wanted(
    design: Design, hosts: Iterable[HostPart], names: set[str]
) -> Iterable[tuple[str, str, str, int, int | None]]:
    """Yield what, where, by which quota, how many more, and how many of ours are there already.

    None of the last: it has to be counted in the account.
    """
    regions = {one.site: one.place.region for one in design.networks}
    vpcs = Counter(region for site, region in regions.items() if f"{site}-vpc" in names)
    addresses = Counter(
        region for site, region in regions.items() if f"{site}-nat-address" in names
    )
    standard = Counter(host.region for host in hosts if host.machine.type[0] in STANDARD)
    yield from (("VPCs", region, VPCS, n, None) for region, n in vpcs.items())
    yield from (
        ("elastic addresses", region, ADDRESSES, n, None) for region, n in addresses.items()
    )
    yield from (("vCPUs", region, VCPUS, n, None) for region, n in standard.items())
    for network in design.networks:
        for group in network.groups:
            for way in ("ingress", "egress"):
                rules = [rule for rule in group.rules if rule.direction == way]
                new = sum(f"{group.name}-{rule.name}" in names for rule in rules)
                if new and len(rules) > RULES_AT_LEAST:
                    what = f"{way} rules of security group {group.name}"
                    yield what, network.place.region, RULES, new, len(rules) - new


class _Quota:
    def __init__(self, name: str, region: str, code: str, count: int, there: int | None) -> None:
        self._name, self._region, self._code, self._count = name, region, code, count
        self._there = there

    def asked(self, asked: Asking, hosts: Iterable[HostPart], own: frozenset[str]) -> Quota:
        """Return the quota with what was found; of vCPUs the hosts of a region are counted.

        What bears a name of our own (`own`) was made by a killed update: it is among what is
        wanted already.
        """
        ask = _In(asked, self._region, own)
        there, wanted = self._there, self._count
        if there is not None:
            pass  # it is of something that only we have
        elif self._code == VPCS:
            there = _or_none(lambda: ask.others("describe_vpcs", "Vpcs"))
        elif self._code == ADDRESSES:
            there = _or_none(lambda: ask.others("describe_addresses", "Addresses"))
        else:
            kinds = Counter(h.machine.type for h in hosts if h.region == self._region)
            sizes = _or_none(lambda: ask.sizes(list(kinds)))
            there = _or_none(ask.running) if sizes is not None else None
            if sizes is not None:
                wanted = sum(sizes.get(kind, 0) * count for kind, count in kinds.items())
        return Quota(
            name=self._name,
            region=self._region,
            code=self._code,
            wanted=wanted,
            there=there,
            most=_or_none(lambda: ask.most(self._code)),
        )


class _In:
    """One region, asked."""

    def __init__(self, asked: Asking, region: str, own: frozenset[str] = frozenset()) -> None:
        self._asked, self._region, self._own = asked, region, own

    def others(self, operation: str, results: str) -> int:
        """Return how many there are beside our own."""
        return sum(map(self._other, self.ec2(operation, results)))

    def _other(self, one: Any) -> bool:
        names = [tag["Value"] for tag in one.get("Tags") or () if tag["Key"] == "Name"]
        return not self._own.intersection(names)

    def ec2(self, operation: str, results: str, **arguments: Any) -> list[Any]:
        def ask(client: Any) -> list[Any]:
            if not client.can_paginate(operation):
                return list(getattr(client, operation)(**arguments)[results])
            pages = client.get_paginator(operation).paginate(**arguments)
            return [one for page in pages for one in page[results]]

        return self._asked("ec2", self._region, ask)

    def sizes(self, kinds: list[str]) -> dict[str, int]:
        found = self.ec2("describe_instance_types", "InstanceTypes", InstanceTypes=kinds)
        return {one["InstanceType"]: one["VCpuInfo"]["DefaultVCpus"] for one in found}

    def running(self) -> int:
        """Return the vCPUs of what runs of the standard families."""
        state = [{"Name": "instance-state-name", "Values": ["pending", "running"]}]
        reserved = self.ec2("describe_instances", "Reservations", Filters=state)
        every = [one for each in reserved for one in each["Instances"]]
        run = [one for one in every if one["InstanceType"][0] in STANDARD and self._other(one)]
        sizes = self.sizes(sorted({one["InstanceType"] for one in run})) if run else {}
        return sum(sizes.get(one["InstanceType"], 0) for one in run)

    def most(self, code: str) -> int:
        service, _, quota = code.partition("/")
        answer = self._asked(
            "service-quotas",
            self._region,
            lambda c: c.get_service_quota(ServiceCode=service, QuotaCode=quota),
        )
        return int(answer["Quota"]["Value"])


def _offers(asked: Asking, region: str, kind: str) -> tuple[str, ...] | None:
    wanted = [{"Name": "instance-type", "Values": [kind]}]
    found = _or_none(
        lambda: _In(asked, region).ec2(
            "describe_instance_type_offerings",
            "InstanceTypeOfferings",
            LocationType="availability-zone",
            Filters=wanted,
        )
    )
    return None if found is None else tuple(sorted(str(one["Location"]) for one in found))


def _taken(asked: Asking, name: str, region: str) -> bool | None:
    from botocore.exceptions import ClientError

    def ask(client: Any) -> bool:
        try:
            client.head_bucket(Bucket=name)
        except ClientError as error:
            code = str(error.response["Error"]["Code"])
            if code in ("404", "NoSuchBucket"):
                return False
            if code in ("403", "301"):  # of another account, or in another region
                return True
            raise
        return False  # our own: a killed update may have made it, which the next one takes over

    return _or_none(lambda: asked("s3", region, ask))


def _denied(asked: Asking, actions: list[str]) -> tuple[tuple[str, ...], str]:
    """Return the actions that the caller may not do, or why that is not known.

    What depends on tags or other context is not counted: a simulation does not have it.
    """
    if not actions:
        return (), ""
    try:
        caller = str(asked("sts", "", lambda c: c.get_caller_identity())["Arn"])
        if caller.endswith(":root"):
            return (), ""
        if ":assumed-role/" in caller:
            role = caller.split("/")[1]
            caller = asked("iam", "", lambda c: c.get_role(RoleName=role))["Role"]["Arn"]
        found = asked(
            "iam",
            "",
            lambda c: c.simulate_principal_policy(PolicySourceArn=caller, ActionNames=actions),
        )
    except OpsctlError as error:
        return (), f"what they may do could not be asked: {error.message}"
    results = found["EvaluationResults"]
    return (
        tuple(
            one["EvalActionName"]
            for one in results
            if one["EvalDecision"] != "allowed" and not one.get("MissingContextValues")
        ),
        "",
    )


def _or_none(ask: Callable[[], _T]) -> _T | None:
    try:
        return ask()
    except OpsctlError:
        return None
