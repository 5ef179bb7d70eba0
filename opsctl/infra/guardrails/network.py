"""Rules on what reaches an environment: ingress, public addresses, public buckets, flow logs."""

from __future__ import annotations

from collections.abc import Iterator
from ipaddress import ip_network
from typing import Any

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.reading import (
    BUCKET,
    DATABASE,
    HOST,
    TEMPLATE,
    VPC,
    at,
    companions,
    each,
    kept,
    truth,
    unknown,
)
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import UNKNOWN, Preview, Resource

GROUP = "aws:ec2/securityGroup:SecurityGroup"
INGRESS = "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule"
_OLD_RULE = "aws:ec2/securityGroupRule:SecurityGroupRule"
_BLOCK = "aws:s3/bucketPublicAccessBlock:BucketPublicAccessBlock"
_BLOCKS = ("blockPublicAcls", "blockPublicPolicy", "ignorePublicAcls", "restrictPublicBuckets")
_NARROWEST_EVERYWHERE = {4: 7, 6: 15}
"""A network of so few bits is nobody's own: `0.0.0.0/1` and its other half are everywhere."""


def _ingress(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, INGRESS):
        for path in ("cidrIpv4", "cidrIpv6"):
            yield from _open(one, at(one.inputs, path))
    for one in kept(preview, GROUP):
        rules = each(one.inputs, "ingress")
        if rules is None:
            yield Wrong(one, "what it lets in is known only after", unknown=True)
        for rule in rules or []:
            yield from _blocks(one, rule)
    for one in kept(preview, _OLD_RULE):
        if at(one.inputs, "type") != "egress":
            yield from _blocks(one, one.inputs)


def _blocks(one: Resource, rule: Any) -> Iterator[Wrong]:
    for path in ("cidrBlocks", "ipv6CidrBlocks"):
        found = each(rule, path)
        for network in [UNKNOWN] if found is None else found:
            yield from _open(one, network)


def _open(one: Resource, network: Any) -> Iterator[Wrong]:
    """Yield that a network is as good as everywhere, or may be."""
    if network is None:
        return
    if unknown(network):
        yield Wrong(one, "whom it lets in is known only after", unknown=True)
        return
    try:
        found = ip_network(str(network), strict=False)
    except ValueError:
        yield Wrong(one, f"{network} is no network", unknown=True)
        return
    if found.prefixlen <= _NARROWEST_EVERYWHERE[found.version]:
        yield Wrong(one, f"lets in {network}, which is as good as everywhere")


def _public_addresses(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, HOST):
        yield from _no(one, at(one.inputs, "associatePublicIpAddress"), "has a public address")
    for one in kept(preview, TEMPLATE):
        interfaces = each(one.inputs, "networkInterfaces")
        for interface in [UNKNOWN] if interfaces is None else interfaces:
            value = at(interface, "associatePublicIpAddress")
            yield from _no(one, value, "gives a public address")
    for one in kept(preview, DATABASE):
        yield from _no(one, at(one.inputs, "publiclyAccessible"), "has a public address")


def _no(one: Resource, value: Any, problem: str) -> Iterator[Wrong]:
    said = truth(value)
    if said is None:
        yield Wrong(one, f"whether it {problem} is known only after", unknown=True)
    elif said:
        yield Wrong(one, problem)


def _public_buckets(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, BUCKET):
        found = companions(preview, one, _BLOCK, "bucket")
        if found is None:
            yield Wrong(one, "it is not known whether public access is blocked", unknown=True)
        elif not found:
            yield Wrong(one, "no BucketPublicAccessBlock is declared for it")
        for block in found or []:
            said = {key: truth(at(block.inputs, key)) for key in _BLOCKS}
            if not all(said.values()):
                missing = ", ".join(key for key, value in said.items() if not value)
                sure = False in said.values()
                yield Wrong(one, f"its block of public access lacks {missing}", unknown=not sure)


def _flow_logs(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, VPC):
        found = companions(preview, one, "aws:ec2/flowLog:FlowLog", "vpcId")
        if not found:
            yield Wrong(one, "no flow log is declared for it", unknown=found is None)


RULES = (
    Rule(
        "AWS-NET-001",
        "Nothing is open to everywhere",
        Severity.REFUSE,
        "What everybody reaches is found within minutes, and tried for ever.",
        sources.INGRESS,
        "Name the networks or the security groups that may come in.",
        _ingress,
    ),
    Rule(
        "AWS-NET-002",
        "Hosts and databases have no public address",
        Severity.REFUSE,
        "Where there is no address, no mistake in a security group opens the host.",
        sources.LAYERS,
        "Leave the public address out; people come by Session Manager, traffic leaves by NAT.",
        _public_addresses,
    ),
    Rule(
        "AWS-NET-003",
        "Buckets block public access",
        Severity.REFUSE,
        "One line of a policy or an ACL would else publish the firm's data and backups.",
        sources.S3_PUBLIC,
        "Declare a BucketPublicAccessBlock with all four switches on.",
        _public_buckets,
    ),
    Rule(
        "AWS-NET-004",
        "Networks log their flows",
        Severity.WARN,
        "After an intrusion nothing else tells who spoke to whom.",
        sources.FLOW_LOGS,
        "Declare a FlowLog of the VPC.",
        _flow_logs,
    ),
)
