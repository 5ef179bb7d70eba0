"""How what each type made is found on AWS, by the tags and names that it gave.

Tags say which environment and which resource a thing is; where AWS takes none, its name or what
it joins does. What AWS makes only once whatever it is asked (a policy of a role, an alarm) is not
looked up: making it again comes to the same.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from opsctl.infra.aws.asking import Asking
from opsctl.infra.pending import Operation, Undecided

Tags = Mapping[str, str]


class Where:
    """AWS in one region of an account, where what is not there is no error."""

    def __init__(self, asked: Asking, region: str, account: str) -> None:
        """Ask with these clients."""
        self._asked, self.region, self.account = asked, region, account

    def ask(self, service: str, ask: Callable[[Any], Any]) -> Any:
        """Ask with a client of a service."""
        return self._asked(service, self.region, ask)

    def __call__(self, service: str, operation: str, **arguments: Any) -> Any:
        """Return an answer; empty where AWS says that there is no such thing."""
        from botocore.exceptions import ClientError

        def ask(client: Any) -> Any:
            try:
                return getattr(client, operation)(**arguments)
            except ClientError as error:
                if _absent(str(error.response["Error"]["Code"])):
                    return {}
                raise

        return self.ask(service, ask)

    def pages(self, service: str, operation: str, **arguments: Any) -> Iterator[Any]:
        """Yield the pages of an answer."""

        def ask(client: Any) -> list[Any]:
            if not client.can_paginate(operation):
                return [getattr(client, operation)(**arguments)]
            return list(client.get_paginator(operation).paginate(**arguments))

        yield from self.ask(service, ask)


def _absent(code: str) -> bool:
    words = ("NotFound", "NoSuch", "DoesNotExist", "404")
    return any(word in code for word in words)


Find = Callable[[Where, Operation], Iterator[str]]
"""Yields the ids of what an operation may have made."""

GONE = frozenset(
    ("deleted", "deleting", "failed", "terminated", "shutting-down", "rejected", "expired", "error")
)
"""States of what is there no more, or never came to be."""


def _tagged(operation: str, expression: str, filters: str = "Filters") -> Find:
    """Find by tags, with an expression (JMESPath) that yields id, state and tags of each."""

    def find(where: Where, of: Operation) -> Iterator[str]:
        import jmespath  # type: ignore[import-untyped]

        tags: Tags = of.inputs.get("tags") or {}
        if not tags:
            raise Undecided("it has no tags to be found by")
        wanted = [{"Name": f"tag:{name}", "Values": [value]} for name, value in tags.items()]
        for page in where.pages("ec2", operation, **{filters: wanted}):
            for id_, state, has in jmespath.search(expression, page) or ():
                if str(state).lower() not in GONE and _ours(has, of):
                    yield id_

    return find


def _ours(found: list[dict[str, str]] | None, of: Operation) -> bool:
    """Return whether tags, as AWS lists them, have all that an operation gives."""
    has = {str(one.get("Key", one.get("key"))): one.get("Value") for one in found or ()}
    wanted: Tags = of.inputs.get("tags") or {}
    return all(has.get(name) == value for name, value in wanted.items())


def _template(where: Where, of: Operation) -> Iterator[str]:
    named = where("ec2", "describe_launch_templates", LaunchTemplateNames=[of.inputs["name"]])
    for one in named.get("LaunchTemplates") or ():
        id_ = one["LaunchTemplateId"]
        wanted = [{"Name": "resource-id", "Values": [id_]}]
        if _ours(where("ec2", "describe_tags", Filters=wanted).get("Tags"), of):
            yield id_


def _role(where: Where, of: Operation) -> Iterator[str]:
    role = where("iam", "get_role", RoleName=of.inputs["name"]).get("Role")
    if role and _ours(role.get("Tags"), of):
        yield role["RoleName"]


def _profile(where: Where, of: Operation) -> Iterator[str]:
    answer = where("iam", "get_instance_profile", InstanceProfileName=of.inputs["name"])
    profile = answer.get("InstanceProfile")
    if profile and _ours(profile.get("Tags"), of):
        yield profile["InstanceProfileName"]


def _issuer(where: Where, of: Operation) -> Iterator[str]:
    host = str(of.inputs["url"]).removeprefix("https://")
    arn = f"arn:aws:iam::{where.account}:oidc-provider/{host}"
    found = where("iam", "get_open_id_connect_provider", OpenIDConnectProviderArn=arn)
    if found and _ours(found.get("Tags"), of):
        yield arn


def _key(where: Where, of: Operation) -> Iterator[str]:
    for page in where.pages("kms", "list_keys"):
        for one in page["Keys"]:
            id_ = one["KeyId"]
            tags = where("kms", "list_resource_tags", KeyId=id_).get("Tags")
            has = [{"Key": each["TagKey"], "Value": each["TagValue"]} for each in tags or ()]
            if not _ours(has, of):
                continue
            state = where("kms", "describe_key", KeyId=id_)["KeyMetadata"]["KeyState"]
            if state != "PendingDeletion":
                yield id_


def _alias(where: Where, of: Operation) -> Iterator[str]:
    for page in where.pages("kms", "list_aliases", KeyId=of.inputs["targetKeyId"]):
        names = (one["AliasName"] for one in page["Aliases"])
        yield from (name for name in names if name == of.inputs["name"])


def _secret(where: Where, of: Operation) -> Iterator[str]:
    found = where("secretsmanager", "describe_secret", SecretId=of.inputs["name"])
    if found and not found.get("DeletedDate") and _ours(found.get("Tags"), of):
        yield found["ARN"]


def _bucket(where: Where, of: Operation) -> Iterator[str]:
    """Yield a bucket of this account; its tags may not have been put on it yet."""
    from botocore.exceptions import ClientError

    name = of.inputs["bucket"]

    def ours(client: Any) -> bool:
        try:
            client.head_bucket(Bucket=name, ExpectedBucketOwner=where.account)
        except ClientError as error:
            if str(error.response["Error"]["Code"]) in ("404", "403", "NoSuchBucket"):
                return False  # 403: it is another account's, and its name is taken
            raise
        return True

    if where.ask("s3", ours):
        tags = where("s3", "get_bucket_tagging", Bucket=name).get("TagSet")
        if not tags or _ours(tags, of):
            yield name


def _log_group(where: Where, of: Operation) -> Iterator[str]:
    name = of.inputs["name"]
    for page in where.pages("logs", "describe_log_groups", logGroupNamePrefix=name):
        for one in page["logGroups"]:
            if one["logGroupName"] != name:
                continue
            arn = str(one["arn"]).removesuffix(":*")
            tags = where("logs", "list_tags_for_resource", resourceArn=arn).get("tags") or {}
            if _ours([{"Key": key, "Value": value} for key, value in tags.items()], of):
                yield name


def _database(where: Where, of: Operation) -> Iterator[str]:
    name = of.inputs["identifier"]
    found = where("rds", "describe_db_instances", DBInstanceIdentifier=name)
    for one in found.get("DBInstances") or ():
        if one["DBInstanceStatus"] not in GONE and _ours(one.get("TagList"), of):
            yield one["DBInstanceIdentifier"]


def _of_databases(operation: str, argument: str, results: str, arn: str) -> Find:
    """Find what databases are made with, by its name."""

    def find(where: Where, of: Operation) -> Iterator[str]:
        found = where("rds", operation, **{argument: of.inputs["name"]})
        for one in found.get(results) or ():
            tags = where("rds", "list_tags_for_resource", ResourceName=one[arn]).get("TagList")
            if _ours(tags, of):
                yield one[argument]

    return find


def _zone(where: Where, of: Operation) -> Iterator[str]:
    """Yield zones of that name and comment: tags are put on them later."""
    name = f"{str(of.inputs['name']).removesuffix('.')}."
    found = where("route53", "list_hosted_zones_by_name", DNSName=name)
    for one in found.get("HostedZones") or ():
        if one["Name"] == name and one["Config"].get("Comment") == of.inputs.get("comment"):
            yield str(one["Id"]).rpartition("/")[2]


def _health_check(where: Where, of: Operation) -> Iterator[str]:
    """Yield the checks that watch that alarm, or bear these tags: they are put on later."""
    alarm = {
        "Name": of.inputs.get("cloudwatchAlarmName"),
        "Region": of.inputs.get("cloudwatchAlarmRegion"),
    }
    for page in where.pages("route53", "list_health_checks"):
        for one in page["HealthChecks"]:
            config, id_ = one["HealthCheckConfig"], one["Id"]
            if config["Type"] != of.inputs["type"]:
                continue
            tags = where(
                "route53", "list_tags_for_resource", ResourceType="healthcheck", ResourceId=id_
            )
            named = (tags.get("ResourceTagSet") or {}).get("Tags")
            if config.get("AlarmIdentifier") == alarm or (named and _ours(named, of)):
                yield id_


def _record(where: Where, of: Operation) -> Iterator[str]:
    zone, name, kind = (str(of.inputs[each]) for each in ("zoneId", "name", "type"))
    identifier = of.inputs.get("setIdentifier")
    found = where(
        "route53",
        "list_resource_record_sets",
        HostedZoneId=zone,
        StartRecordName=name,
        StartRecordType=kind,
    )
    for one in found.get("ResourceRecordSets") or ():
        is_it = (one["Name"].removesuffix("."), one["Type"]) == (name.removesuffix("."), kind)
        if is_it and one.get("SetIdentifier") == identifier:
            yield "_".join(filter(None, (zone, name, kind, identifier)))


def _route(where: Where, of: Operation) -> Iterator[str]:
    table, to = of.inputs["routeTableId"], of.inputs["destinationCidrBlock"]
    for one in _table(where, table).get("Routes") or ():
        if one.get("DestinationCidrBlock") == to:
            yield f"{table}_{to}"


def _association(where: Where, of: Operation) -> Iterator[str]:
    for one in _table(where, of.inputs["routeTableId"]).get("Associations") or ():
        if one.get("SubnetId") == of.inputs["subnetId"]:
            yield one["RouteTableAssociationId"]


def _table(where: Where, table: str) -> Any:
    found = where("ec2", "describe_route_tables", RouteTableIds=[table]).get("RouteTables")
    return found[0] if found else {}


def _attachment(where: Where, of: Operation) -> Iterator[str]:
    device, volume, host = (of.inputs[each] for each in ("deviceName", "volumeId", "instanceId"))
    found = where("ec2", "describe_volumes", VolumeIds=[volume])
    for one in found.get("Volumes") or ():
        for each in one["Attachments"]:
            attached = each["State"] in ("attaching", "attached")
            if attached and (each["Device"], each["InstanceId"]) == (device, host):
                yield f"{device}:{volume}:{host}"


def _budget(where: Where, of: Operation) -> Iterator[str]:
    """Yield the one that bears the environment's name: an account has no second of a name."""
    name = of.inputs["name"]
    found = where("budgets", "describe_budget", AccountId=where.account, BudgetName=name)
    if found.get("Budget"):
        yield f"{where.account}:{name}"


_RULES = _tagged(
    "describe_security_group_rules", "SecurityGroupRules[].[SecurityGroupRuleId, '', Tags]"
)

KINDS: Mapping[str, Find] = {
    "aws:budgets/budget:Budget": _budget,
    "aws:cloudwatch/logGroup:LogGroup": _log_group,
    "aws:ebs/volume:Volume": _tagged("describe_volumes", "Volumes[].[VolumeId, State, Tags]"),
    "aws:ec2/eip:Eip": _tagged("describe_addresses", "Addresses[].[AllocationId, '', Tags]"),
    "aws:ec2/flowLog:FlowLog": _tagged(
        "describe_flow_logs", "FlowLogs[].[FlowLogId, '', Tags]", filters="Filter"
    ),
    "aws:ec2/instance:Instance": _tagged(
        "describe_instances", "Reservations[].Instances[].[InstanceId, State.Name, Tags]"
    ),
    "aws:ec2/internetGateway:InternetGateway": _tagged(
        "describe_internet_gateways", "InternetGateways[].[InternetGatewayId, '', Tags]"
    ),
    "aws:ec2/launchTemplate:LaunchTemplate": _template,
    "aws:ec2/natGateway:NatGateway": _tagged(
        "describe_nat_gateways", "NatGateways[].[NatGatewayId, State, Tags]"
    ),
    "aws:ec2/placementGroup:PlacementGroup": _tagged(
        "describe_placement_groups", "PlacementGroups[].[GroupName, State, Tags]"
    ),
    "aws:ec2/route:Route": _route,
    "aws:ec2/routeTable:RouteTable": _tagged(
        "describe_route_tables", "RouteTables[].[RouteTableId, '', Tags]"
    ),
    "aws:ec2/routeTableAssociation:RouteTableAssociation": _association,
    "aws:ec2/securityGroup:SecurityGroup": _tagged(
        "describe_security_groups", "SecurityGroups[].[GroupId, '', Tags]"
    ),
    "aws:ec2/subnet:Subnet": _tagged("describe_subnets", "Subnets[].[SubnetId, '', Tags]"),
    "aws:ec2/volumeAttachment:VolumeAttachment": _attachment,
    "aws:ec2/vpc:Vpc": _tagged("describe_vpcs", "Vpcs[].[VpcId, '', Tags]"),
    "aws:ec2/vpcEndpoint:VpcEndpoint": _tagged(
        "describe_vpc_endpoints", "VpcEndpoints[].[VpcEndpointId, State, Tags]"
    ),
    "aws:ec2/vpcPeeringConnection:VpcPeeringConnection": _tagged(
        "describe_vpc_peering_connections",
        "VpcPeeringConnections[].[VpcPeeringConnectionId, Status.Code, Tags]",
    ),
    "aws:iam/instanceProfile:InstanceProfile": _profile,
    "aws:iam/openIdConnectProvider:OpenIdConnectProvider": _issuer,
    "aws:iam/role:Role": _role,
    "aws:kms/alias:Alias": _alias,
    "aws:kms/key:Key": _key,
    "aws:rds/instance:Instance": _database,
    "aws:rds/parameterGroup:ParameterGroup": _of_databases(
        "describe_db_parameter_groups",
        "DBParameterGroupName",
        "DBParameterGroups",
        "DBParameterGroupArn",
    ),
    "aws:rds/subnetGroup:SubnetGroup": _of_databases(
        "describe_db_subnet_groups", "DBSubnetGroupName", "DBSubnetGroups", "DBSubnetGroupArn"
    ),
    "aws:route53/healthCheck:HealthCheck": _health_check,
    "aws:route53/record:Record": _record,
    "aws:route53/zone:Zone": _zone,
    "aws:s3/bucket:Bucket": _bucket,
    "aws:secretsmanager/secret:Secret": _secret,
    "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule": _RULES,
    "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule": _RULES,
}
"""How what a type made is found, by type."""

ONCE = frozenset(
    (
        "aws:cloudwatch/metricAlarm:MetricAlarm",
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        "aws:iam/rolePolicy:RolePolicy",
        "aws:iam/rolePolicyAttachment:RolePolicyAttachment",
        "aws:s3/bucketLifecycleConfiguration:BucketLifecycleConfiguration",
        "aws:s3/bucketObjectLockConfiguration:BucketObjectLockConfiguration",
        "aws:s3/bucketPolicy:BucketPolicy",
        "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock",
        "aws:s3/bucketReplicationConfig:BucketReplicationConfig",
        "aws:s3/bucketServerSideEncryptionConfiguration:BucketServerSideEncryptionConfiguration",
        "aws:s3/bucketVersioning:BucketVersioning",
        "aws:sns/topic:Topic",
        "aws:sns/topicSubscription:TopicSubscription",
    )
)
"""Types of which AWS makes one whatever it is asked twice: a second making is the first."""
