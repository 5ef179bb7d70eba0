"""One case for each resource type: what is asked for, and what else may be asked of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tests.integration.aws.world import World
from tests.support.aws.direct import Made

Inputs = Callable[[World], dict[str, Any]]
Looks = Callable[[Any, Made], Any]


def policy(action: str, **more: Any) -> str:
    """Return a policy that allows one action."""
    statement = {"Effect": "Allow", "Action": action, "Resource": "*", **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


@dataclass(frozen=True)
class Case:
    """What is done with a type."""

    token: str
    inputs: Inputs
    """What is declared first."""
    looks: Looks
    """What boto3 sees of it, given a client for each service and what was made."""
    seen: Any
    """What it should see after that."""
    update: Mapping[str, Any] = field(default_factory=dict)
    """Inputs that are changed where it exists; None takes one away."""
    updated: Any = None
    """What boto3 should see then."""
    replace: Mapping[str, Any] = field(default_factory=dict)
    """An input whose change replaces it."""
    drift: Callable[[Any, Made], Any] | None = None
    """What somebody does to it behind the engine's back."""
    drifted: str = ""
    """The input that then differs."""
    lasting: bool = False
    """Whether it cannot be deleted by itself, but goes with what it is set on."""


def first(found: Any) -> Any:
    """Return the one item."""
    [one] = found
    return one


NETWORK = (
    Case(
        "aws:ec2/vpc:Vpc",
        lambda w: {"cidrBlock": "10.9.0.0/16", "enableDnsHostnames": True, "tags": {"a": "b"}},
        lambda aws, it: {
            "cidr": first(aws("ec2").describe_vpcs(VpcIds=[it.id])["Vpcs"])["CidrBlock"],
            "names": aws("ec2").describe_vpc_attribute(VpcId=it.id, Attribute="enableDnsHostnames")[
                "EnableDnsHostnames"
            ]["Value"],
        },
        {"cidr": "10.9.0.0/16", "names": True},
        update={"enableDnsHostnames": False},
        updated={"cidr": "10.9.0.0/16", "names": False},
        replace={"cidrBlock": "10.8.0.0/16"},
        drift=lambda aws, it: aws("ec2").modify_vpc_attribute(
            VpcId=it.id, EnableDnsSupport={"Value": False}
        ),
        drifted="enableDnsSupport",
    ),
    Case(
        "aws:ec2/subnet:Subnet",
        lambda w: {
            "vpcId": w.vpc.id,
            "cidrBlock": "10.0.200.0/24",
            "availabilityZone": "eu-central-1c",
            "mapPublicIpOnLaunch": True,
        },
        lambda aws, it: [
            first(aws("ec2").describe_subnets(SubnetIds=[it.id])["Subnets"])[name]
            for name in ("CidrBlock", "AvailabilityZone", "MapPublicIpOnLaunch")
        ],
        ["10.0.200.0/24", "eu-central-1c", True],
        update={"mapPublicIpOnLaunch": None},
        updated=["10.0.200.0/24", "eu-central-1c", False],
        replace={"availabilityZone": "eu-central-1a"},
        drift=lambda aws, it: aws("ec2").modify_subnet_attribute(
            SubnetId=it.id, MapPublicIpOnLaunch={"Value": False}
        ),
        drifted="mapPublicIpOnLaunch",
    ),
    Case(
        "aws:ec2/internetGateway:InternetGateway",
        lambda w: {"vpcId": w.other_vpc.id},
        lambda aws, it: len(
            first(
                aws("ec2").describe_internet_gateways(InternetGatewayIds=[it.id])[
                    "InternetGateways"
                ]
            )["Attachments"]
        ),
        1,
        update={"vpcId": None},
        updated=0,
        drift=lambda aws, it: aws("ec2").detach_internet_gateway(
            InternetGatewayId=it.id, VpcId=it["vpcId"]
        ),
        drifted="vpcId",
    ),
    Case(
        "aws:ec2/eip:Eip",
        lambda w: {"domain": "vpc"},
        lambda aws, it: (
            first(aws("ec2").describe_addresses(AllocationIds=[it.id])["Addresses"])["PublicIp"]
            == it["publicIp"]
        ),
        True,
        drift=lambda aws, it: aws("ec2").create_tags(
            Resources=[it.id], Tags=[{"Key": "who", "Value": "me"}]
        ),
        drifted="tags",
    ),
    Case(
        "aws:ec2/natGateway:NatGateway",
        lambda w: {"subnetId": w.subnet_a.id, "allocationId": w.address.id},
        lambda aws, it: first(
            aws("ec2").describe_nat_gateways(NatGatewayIds=[it.id])["NatGateways"]
        )["ConnectivityType"],
        "public",
        drift=lambda aws, it: aws("ec2").create_tags(
            Resources=[it.id], Tags=[{"Key": "who", "Value": "me"}]
        ),
        drifted="tags",
    ),
    Case(
        "aws:ec2/routeTable:RouteTable",
        lambda w: {"vpcId": w.vpc.id},
        lambda aws, it: len(
            first(aws("ec2").describe_route_tables(RouteTableIds=[it.id])["RouteTables"])["Routes"]
        ),
        1,
        drift=lambda aws, it: aws("ec2").create_tags(
            Resources=[it.id], Tags=[{"Key": "who", "Value": "me"}]
        ),
        drifted="tags",
    ),
    Case(
        "aws:ec2/route:Route",
        lambda w: {
            "routeTableId": w.table.id,
            "destinationCidrBlock": "0.0.0.0/0",
            "gatewayId": w.gateway.id,
        },
        lambda aws, it: [
            "GatewayId" in one
            for one in first(
                aws("ec2").describe_route_tables(RouteTableIds=[it["routeTableId"]])["RouteTables"]
            )["Routes"]
            if one["DestinationCidrBlock"] == "0.0.0.0/0"
        ],
        [True],
        replace={"destinationCidrBlock": "192.168.0.0/16"},
        drift=lambda aws, it: aws("ec2").delete_route(
            RouteTableId=it["routeTableId"], DestinationCidrBlock="0.0.0.0/0"
        ),
    ),
    Case(
        "aws:ec2/routeTableAssociation:RouteTableAssociation",
        lambda w: {"subnetId": w.subnet_b.id, "routeTableId": w.table.id},
        lambda aws, it: len(
            aws("ec2").describe_route_tables(
                Filters=[{"Name": "association.subnet-id", "Values": [it["subnetId"]]}]
            )["RouteTables"]
        ),
        1,
        replace={"subnetId": "subnet-12345678"},
        drift=lambda aws, it: aws("ec2").disassociate_route_table(AssociationId=it.id),
    ),
    Case(
        "aws:ec2/securityGroup:SecurityGroup",
        lambda w: {
            "vpcId": w.vpc.id,
            "description": "etcd",
            "ingress": [
                {
                    "protocol": "tcp",
                    "fromPort": 2379,
                    "toPort": 2380,
                    "cidrBlocks": ["10.0.0.0/8"],
                }
            ],
        },
        lambda aws, it: [
            (one["FromPort"], one["ToPort"], [each["CidrIp"] for each in one["IpRanges"]])
            for one in first(
                aws("ec2").describe_security_groups(GroupIds=[it.id])["SecurityGroups"]
            )["IpPermissions"]
        ],
        [(2379, 2380, ["10.0.0.0/8"])],
        update={
            "ingress": [{"protocol": "tcp", "fromPort": 22, "toPort": 22, "self": True}],
        },
        updated=[(22, 22, [])],
        replace={"description": "another"},
        drift=lambda aws, it: aws("ec2").authorize_security_group_ingress(
            GroupId=it.id, IpProtocol="tcp", FromPort=1, ToPort=2, CidrIp="0.0.0.0/0"
        ),
        drifted="ingress",
    ),
    Case(
        "aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule",
        lambda w: {
            "securityGroupId": w.group.id,
            "ipProtocol": "tcp",
            "fromPort": 443,
            "toPort": 443,
            "cidrIpv4": "10.0.0.0/16",
            "description": "people",
        },
        lambda aws, it: [
            first(
                aws("ec2").describe_security_group_rules(SecurityGroupRuleIds=[it.id])[
                    "SecurityGroupRules"
                ]
            )[name]
            for name in ("IsEgress", "IpProtocol", "FromPort", "ToPort", "CidrIpv4")
        ],
        [False, "tcp", 443, 443, "10.0.0.0/16"],
        update={"cidrIpv4": "10.1.0.0/16"},
        updated=[False, "tcp", 443, 443, "10.1.0.0/16"],
        replace={"securityGroupId": "sg-12345678"},
        drift=lambda aws, it: aws("ec2").revoke_security_group_ingress(
            GroupId=it["securityGroupId"], SecurityGroupRuleIds=[it.id]
        ),
    ),
    Case(
        "aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule",
        lambda w: {
            "securityGroupId": w.group.id,
            "ipProtocol": "-1",
            "referencedSecurityGroupId": w.group.id,
        },
        lambda aws, it: [
            first(
                aws("ec2").describe_security_group_rules(SecurityGroupRuleIds=[it.id])[
                    "SecurityGroupRules"
                ]
            )[name]
            for name in ("IsEgress", "IpProtocol")
        ],
        [True, "-1"],
        replace={"securityGroupId": "sg-12345678"},
        drift=lambda aws, it: aws("ec2").revoke_security_group_egress(
            GroupId=it["securityGroupId"], SecurityGroupRuleIds=[it.id]
        ),
    ),
    Case(
        "aws:ec2/vpcEndpoint:VpcEndpoint",
        lambda w: {
            "vpcId": w.vpc.id,
            "serviceName": "com.amazonaws.eu-central-1.s3",
            "routeTableIds": [w.table.id],
        },
        lambda aws, it: [
            first(aws("ec2").describe_vpc_endpoints(VpcEndpointIds=[it.id])["VpcEndpoints"])[
                "ServiceName"
            ],
            len(
                first(aws("ec2").describe_vpc_endpoints(VpcEndpointIds=[it.id])["VpcEndpoints"])[
                    "RouteTableIds"
                ]
            ),
        ],
        ["com.amazonaws.eu-central-1.s3", 1],
        update={"routeTableIds": []},
        updated=["com.amazonaws.eu-central-1.s3", 0],
        replace={"serviceName": "com.amazonaws.eu-central-1.dynamodb"},
        drift=lambda aws, it: aws("ec2").modify_vpc_endpoint(
            VpcEndpointId=it.id, RemoveRouteTableIds=it["routeTableIds"]
        ),
        drifted="routeTableIds",
    ),
    Case(
        "aws:ec2/flowLog:FlowLog",
        lambda w: {
            "vpcId": w.vpc.id,
            "trafficType": "REJECT",
            "logDestinationType": "s3",
            "logDestination": w.bucket["arn"],
            "maxAggregationInterval": 60,
        },
        lambda aws, it: [
            first(aws("ec2").describe_flow_logs(FlowLogIds=[it.id])["FlowLogs"])[name]
            for name in ("TrafficType", "LogDestinationType", "FlowLogStatus")
        ],
        ["REJECT", "s3", "ACTIVE"],
        replace={"trafficType": "ALL"},
        drift=lambda aws, it: aws("ec2").delete_flow_logs(FlowLogIds=[it.id]),
    ),
    Case(
        "aws:ec2/vpcPeeringConnection:VpcPeeringConnection",
        lambda w: {"vpcId": w.vpc.id, "peerVpcId": w.other_vpc.id, "autoAccept": True},
        lambda aws, it: first(
            aws("ec2").describe_vpc_peering_connections(VpcPeeringConnectionIds=[it.id])[
                "VpcPeeringConnections"
            ]
        )["Status"]["Code"],
        "active",
        replace={"peerVpcId": "vpc-12345678"},
        drift=lambda aws, it: aws("ec2").delete_vpc_peering_connection(
            VpcPeeringConnectionId=it.id
        ),
    ),
    Case(
        "aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter",
        lambda w: {
            "vpcPeeringConnectionId": w.peering_abroad.id,
            "autoAccept": True,
            "region": "eu-west-1",
        },
        lambda aws, it: first(
            aws("ec2", "eu-west-1").describe_vpc_peering_connections(
                VpcPeeringConnectionIds=[it.id]
            )["VpcPeeringConnections"]
        )["Status"]["Code"],
        "active",
        replace={"vpcPeeringConnectionId": "pcx-12345678"},
        lasting=True,
    ),
)
"""The types of networks."""
