"""The account and region that a provider works in: its clients, its default tags, its names."""

from __future__ import annotations

import contextlib
import copy
import functools
import json
import os
import threading
from collections.abc import Iterator, Mapping
from contextvars import ContextVar
from typing import Any
from urllib.parse import urlsplit

import boto3
from botocore.config import Config
from botocore.exceptions import ClientError

GONE = ("NotFound", "NoSuch", "DoesNotExist", "ResourceNotFound", "404")
"""Parts of the codes by which AWS's services say that there is no such thing."""


TAGGED_AS = {
    "AllocateAddress": "elastic-ip",
    "AuthorizeSecurityGroupEgress": "security-group-rule",
    "AuthorizeSecurityGroupIngress": "security-group-rule",
    "CreateFlowLogs": "vpc-flow-log",
    "CreateInternetGateway": "internet-gateway",
    "CreateLaunchTemplate": "launch-template",
    "CreateNatGateway": "natgateway",
    "CreateRouteTable": "route-table",
    "CreateSecurityGroup": "security-group",
    "CreateSubnet": "subnet",
    "CreateVolume": "volume",
    "CreateVpc": "vpc",
    "CreateVpcEndpoint": "vpc-endpoint",
    "CreateVpcPeeringConnection": "vpc-peering-connection",
    "RunInstances": "instance",
}
"""What EC2 calls the thing that an operation makes, where it takes tags with it."""

_tags: ContextVar[Mapping[str, str] | None] = ContextVar("tags", default=None)


@contextlib.contextmanager
def tagging(tags: Mapping[str, str]) -> Iterator[None]:
    """Have what is made within the block bear tags from its first instant, as the real provider's.

    Where AWS takes none with the call that makes a thing, it has none until they are put on it.
    """
    before = _tags.set(tags)
    try:
        yield
    finally:
        _tags.reset(before)


def _with_tags(params: dict[str, Any], model: Any, **_: Any) -> dict[str, Any] | None:
    """Return a call's arguments with the tags of the block that it is made in."""
    tags, takes = _tags.get(), model.input_shape.members if model.input_shape else {}
    if not tags or not model.name.startswith(("Create", "Run", "Allocate", "Authorize")):
        return None
    if "TagSpecifications" in takes and model.name in TAGGED_AS:
        listed = [{"Key": key, "Value": value} for key, value in tags.items()]
        made = {"ResourceType": TAGGED_AS[model.name], "Tags": listed}
        return {**params, "TagSpecifications": [made, *params.get("TagSpecifications", ())]}
    for name in takes.keys() & {"Tags", "tags"} - params.keys():
        if takes[name].type_name == "map":
            return {**params, name: dict(tags)}
        key, value = list(takes[name].member.members)[:2]
        return {**params, name: [{key: one, value: tags[one]} for one in tags]}
    return None


class Refused(Exception):
    """What AWS, or the provider for it, refuses; the message reads as theirs."""


class Gone(Exception):
    """The resource does not exist."""


def refusal(code: str, message: str, operation: str) -> ClientError:
    """Return an error as boto3 raises it for a response of AWS."""
    return ClientError({"Error": {"Code": code, "Message": message}}, operation)


def is_gone(error: Exception) -> bool:
    """Whether an error says that a resource does not exist."""
    if isinstance(error, ClientError):
        return any(part in error.response["Error"]["Code"] for part in GONE)
    return isinstance(error, Gone)


class Cloud:
    """AWS as one provider is configured to reach it."""

    def __init__(self, settings: Mapping[str, Any], environment: Mapping[str, str] = os.environ):
        """Take the provider's settings, what they leave out from the environment as boto3 does.

        Raises Refused where the real provider refuses to be configured: no region or an unknown
        one, no credentials, another account than those allowed. It refuses also an endpoint
        that is not on this machine: these tests never reach AWS.
        """
        self.region = settings.get("region") or environment.get("AWS_REGION") or ""
        if not self.region:
            raise Refused("invalid AWS Region: Missing region configuration: set aws:region")
        if self.region not in _regions():
            raise Refused(f"invalid AWS Region: {self.region}")
        key = settings.get("accessKey") or environment.get("AWS_ACCESS_KEY_ID")
        secret = settings.get("secretKey") or environment.get("AWS_SECRET_ACCESS_KEY")
        if not (key and secret):
            raise Refused(
                "Invalid credentials configured: No valid credential sources found: "
                "no EC2 IMDS role found"
            )
        self._endpoint = _endpoint(settings, environment)
        self._session = boto3.Session(aws_access_key_id=key, aws_secret_access_key=secret)
        self._clients: dict[tuple[str, str], Any] = {}
        self._making = threading.Lock()
        self.default_tags: dict[str, str] = (settings.get("defaultTags") or {}).get("tags") or {}
        allowed, forbidden = (
            settings.get("allowedAccountIds") or [],
            settings.get("forbiddenAccountIds") or [],
        )
        if (allowed and self.account not in allowed) or self.account in forbidden:
            raise Refused(f"AWS account ID not allowed: {self.account}")

    @functools.cached_property
    def account(self) -> str:
        """The number of the account that the credentials are of."""
        try:
            return str(self("sts").get_caller_identity()["Account"])
        except ClientError as error:
            raise Refused(f"retrieving caller identity from STS: {error}") from error

    def __call__(self, service: str, region: str = "") -> Any:
        """Return the client of a service, of this region if no other is named."""
        return self._client(service, region or self.region)

    def _client(self, service: str, region: str) -> Any:
        with self._making:  # neither sessions nor the dictionary may be shared while it makes
            if (service, region) not in self._clients:
                make: Any = self._session.client
                client = self._clients[service, region] = make(
                    service,
                    endpoint_url=self._endpoint,
                    region_name=region,
                    config=Config(retries={"total_max_attempts": 1}),
                )
                client.meta.events.register("provide-client-params.*.*", _with_tags)
            return self._clients[service, region]

    def elsewhere(self, region: str) -> Cloud:
        """Return the same account in another region."""
        if region not in _regions():
            raise Refused(f"invalid AWS Region: {region}")
        other = copy.copy(self)
        other.region = region
        return other

    def arn(self, service: str, resource: str, region: str | None = None) -> str:
        """Name a resource as AWS does."""
        place = self.region if region is None else region
        return f"arn:aws:{service}:{place}:{self.account}:{resource}"


class Beside:
    """What moto does not keep of a resource, kept in a parameter of moto's own.

    It lives and dies with the server, is seen by every provider's process, and can be changed
    behind the engine's back as anything else.
    """

    def __init__(self, cloud: Cloud, token: str) -> None:
        """Prepare for the resources of a type in the cloud's region."""
        self._cloud, self._type = cloud, token.rpartition(":")[2]

    def _name(self, id_: str) -> str:
        safe = "".join(c if c.isalnum() or c in ".-_" else "_" for c in id_)
        return f"/beside/{self._type}/{safe}"

    def read(self, id_: str) -> dict[str, Any] | None:
        """Return what is kept of a resource; None if nothing is."""
        try:
            found = self._cloud("ssm").get_parameter(Name=self._name(id_))
        except ClientError as error:
            if is_gone(error):
                return None
            raise
        kept: dict[str, Any] = json.loads(found["Parameter"]["Value"])
        return kept

    def write(self, id_: str, kept: Mapping[str, Any]) -> None:
        """Keep this of a resource, in place of what was."""
        self._cloud("ssm").put_parameter(
            Name=self._name(id_), Value=json.dumps(kept), Type="String", Overwrite=True
        )

    def delete(self, id_: str) -> None:
        """Keep nothing of a resource."""
        try:
            self._cloud("ssm").delete_parameter(Name=self._name(id_))
        except ClientError as error:
            if not is_gone(error):
                raise


@functools.cache
def _regions() -> frozenset[str]:
    return frozenset(boto3.Session().get_available_regions("ec2"))


def _endpoint(settings: Mapping[str, Any], environment: Mapping[str, str]) -> str:
    named = [url for one in settings.get("endpoints") or [] for url in one.values()]
    endpoint = named[0] if named else environment.get("AWS_ENDPOINT_URL", "")
    if urlsplit(endpoint).hostname not in ("127.0.0.1", "localhost"):
        raise Refused(
            f"the tests' aws provider works on a server of this machine only, not on {endpoint!r}: "
            "set AWS_ENDPOINT_URL to that of a moto server"
        )
    return str(endpoint)
