"""What a resource type declares of itself, and the helpers that turn properties into calls."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, ClassVar, TypeVar

from tests.support.aws import schema
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Beside, Cloud, Gone, is_gone, refusal
from tests.support.aws.wire import Properties

KINDS: dict[str, type[Kind]] = {}
"""The types that are served, by token."""


class Kind:
    """A resource type: what it takes, what replaces it, and the calls that make it so.

    A subclass declares names as Pulumi spells them, and calls AWS through `self.cloud`, which
    is of the resource's region. Every property that is not served is refused: none is ever
    ignored silently.
    """

    token: ClassVar[str]
    served: ClassVar[tuple[str, ...]]
    """The inputs that the calls make so, and that `read` reads back."""
    replaces: ClassVar[tuple[str, ...]] = ()
    """Inputs (or dotted paths into them) that no call can change of what exists."""
    chosen: ClassVar[tuple[str, ...]] = ()
    """Inputs that AWS chooses where they are not given: unknown in a preview."""
    defaults: ClassVar[Mapping[str, Any]] = {}
    named: ClassVar[str] = ""
    """The input that Pulumi makes up from the resource's name where it is not given."""
    refers: ClassVar[Mapping[str, str]] = {}
    """Inputs that name things which must exist, and what they name (see `EXISTING`)."""
    beside: ClassVar[tuple[str, ...]] = ()
    """Those of the served inputs that moto does not keep."""
    guides: ClassVar[tuple[str, ...]] = ()
    """Inputs that AWS has no notion of: they say how to delete, or how long to wait."""
    moving: ClassVar[tuple[str, ...]] = ()
    """Outputs that every update changes."""
    replaced_first: ClassVar[bool] = False
    """Whether a successor can be made only after the predecessor is gone."""
    everywhere: ClassVar[bool] = False
    """Whether the service is global and the resource in no region."""

    def __init__(self, cloud: Cloud) -> None:
        """Work in a cloud, in the region of the resource."""
        self.cloud = cloud
        self.kept = Beside(cloud, self.token)
        self.pending: frozenset[str] = frozenset()
        """Inputs of the resource that is checked whose values are not known yet."""

    @classmethod
    def tagged(cls) -> bool:
        """Whether it has tags."""
        return "tags" in schema.read()[cls.token]["inputs"]

    def check(self, inputs: Properties) -> Failures:
        """Yield what AWS would refuse; `inputs` are those that are known already."""
        yield from ()

    def lacks(self, inputs: Properties, *names: str) -> bool:
        """Whether none of these is given, nor will be once all is known."""
        return not (inputs.keys() | self.pending) & set(names)

    def create(self, inputs: Properties) -> str:
        """Make it and return its id. What else it takes is done by `configure`."""
        raise NotImplementedError

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        """Make what exists be what is declared; `old` is empty for one that was just made."""

    def read(self, id_: str) -> Properties:
        """Return its inputs and outputs as they are; raise Gone, or AWS's error that says so."""
        raise NotImplementedError

    def delete(self, id_: str, inputs: Properties) -> None:
        """Delete it."""
        raise NotImplementedError

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        """Take tags away and set others; never called with neither."""
        raise NotImplementedError


K = TypeVar("K", bound=type[Kind])


def serves(token: str) -> Callable[[K], K]:
    """Register a class for a resource type."""

    def register(kind: K) -> K:
        kind.token = token
        KINDS[token] = kind
        return kind

    return register


EXISTING: dict[str, Callable[[Cloud, str], Any]] = {
    "vpc": lambda cloud, id_: cloud("ec2").describe_vpcs(VpcIds=[id_]),
    "subnet": lambda cloud, id_: cloud("ec2").describe_subnets(SubnetIds=[id_]),
    "security group": lambda cloud, id_: cloud("ec2").describe_security_groups(GroupIds=[id_]),
    "route table": lambda cloud, id_: cloud("ec2").describe_route_tables(RouteTableIds=[id_]),
    "internet gateway": lambda cloud, id_: cloud("ec2").describe_internet_gateways(
        InternetGatewayIds=[id_]
    ),
    "nat gateway": lambda cloud, id_: cloud("ec2").describe_nat_gateways(NatGatewayIds=[id_]),
    "peering": lambda cloud, id_: cloud("ec2").describe_vpc_peering_connections(
        VpcPeeringConnectionIds=[id_]
    ),
    "address": lambda cloud, id_: cloud("ec2").describe_addresses(AllocationIds=[id_]),
    "instance": lambda cloud, id_: cloud("ec2").describe_instances(InstanceIds=[id_]),
    "volume": lambda cloud, id_: cloud("ec2").describe_volumes(VolumeIds=[id_]),
    "placement group": lambda cloud, id_: _placement_group(cloud, id_),
    "instance profile": lambda cloud, id_: cloud("iam").get_instance_profile(
        InstanceProfileName=id_
    ),
    "role": lambda cloud, id_: cloud("iam").get_role(RoleName=id_.rpartition("/")[2]),
    "key": lambda cloud, id_: cloud("kms").describe_key(KeyId=id_),
    "bucket": lambda cloud, id_: cloud("s3").head_bucket(Bucket=id_.rpartition(":")[2]),
    "log group": lambda cloud, id_: _log_group(cloud, id_),
    "topic": lambda cloud, id_: cloud("sns").get_topic_attributes(TopicArn=id_),
    "zone": lambda cloud, id_: cloud("route53").get_hosted_zone(Id=id_),
    "health check": lambda cloud, id_: cloud("route53").get_health_check(HealthCheckId=id_),
    "db subnet group": lambda cloud, id_: cloud("rds").describe_db_subnet_groups(
        DBSubnetGroupName=id_
    ),
    "db parameter group": lambda cloud, id_: cloud("rds").describe_db_parameter_groups(
        DBParameterGroupName=id_
    ),
}
"""How to look for a thing that is referred to; each raises AWS's error if there is none."""


def _placement_group(cloud: Cloud, name: str) -> None:
    if Beside(cloud, "aws:ec2/placementGroup:PlacementGroup").read(name) is None:
        raise refusal(
            "InvalidPlacementGroup.Unknown",
            f"The Placement Group '{name}' is unknown.",
            "RunInstances",
        )


def _log_group(cloud: Cloud, name: str) -> None:
    name = name.split(":log-group:")[-1].removesuffix(":*")
    found = cloud("logs").describe_log_groups(logGroupNamePrefix=name)["logGroups"]
    if name not in [one["logGroupName"] for one in found]:
        raise refusal(
            "ResourceNotFoundException",
            "The specified log group does not exist.",
            "DescribeLogGroups",
        )


def look_up(kind: Kind, inputs: Properties) -> None:
    """Raise AWS's error if something that a resource refers to does not exist."""
    for name, what in kind.refers.items():
        named = inputs.get(name)
        for one in named if isinstance(named, list) else [named]:
            if one:
                EXISTING[what](kind.cloud, one)


def exists(look: Callable[[], Any]) -> bool:
    """Whether a call finds what it asks for; an error of another kind is raised."""
    try:
        look()
    except Exception as error:
        if is_gone(error):
            return False
        raise
    return True


def optional(look: Callable[[], Any], *absent: str) -> Any:
    """Return what a call finds; None if AWS says that there is none, or one of these codes."""
    from botocore.exceptions import ClientError

    try:
        return look()
    except ClientError as error:
        if is_gone(error) or error.response["Error"]["Code"] in absent:
            return None
        raise


def only(found: list[Any], id_: str) -> Any:
    """Return the one thing found; raise Gone if there is none."""
    if not found:
        raise Gone(id_)
    return found[0]


def call(inputs: Properties, *names: str, **renamed: str) -> dict[str, Any]:
    """Return those inputs that are given, as arguments of boto3: `cidrBlock` as `CidrBlock`.

    `renamed` are those that AWS calls otherwise, by the name of ours.
    """
    all_names = {name: upper(name) for name in names} | renamed
    return {
        theirs: inputs[ours] for ours, theirs in all_names.items() if inputs.get(ours) is not None
    }


def upper(name: str) -> str:
    """Spell a name as AWS does."""
    return name[0].upper() + name[1:]


def deep_upper(value: Any) -> Any:
    """Spell the names of objects in a value as AWS does."""
    if isinstance(value, dict):
        return {upper(name): deep_upper(one) for name, one in value.items()}
    return [deep_upper(one) for one in value] if isinstance(value, list) else value


def deep_lower(value: Any) -> Any:
    """Spell the names of objects in a value as Pulumi does."""
    if isinstance(value, dict):
        return {name[0].lower() + name[1:]: deep_lower(one) for name, one in value.items()}
    return [deep_lower(one) for one in value] if isinstance(value, list) else value


def changed(old: Properties, new: Properties, *names: str) -> Iterator[str]:
    """Yield those of the names whose values differ."""
    for name in names:
        if old.get(name) != new.get(name):
            yield name


def tag_list(tags: Mapping[str, str]) -> list[dict[str, str]]:
    """Return tags as most services take them."""
    return [{"Key": key, "Value": value} for key, value in tags.items()]


def tag_map(tags: list[dict[str, str]] | None) -> dict[str, str]:
    """Return tags as Pulumi has them: those of AWS's own, which nobody may set, are left out."""
    named = ((one.get("Key", one.get("key", "")), one.get("Value", "")) for one in tags or [])
    return {key: value for key, value in named if not key.startswith("aws:")}
