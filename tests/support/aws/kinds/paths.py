"""Paths of packets: route tables, routes, and the peering of networks."""

from __future__ import annotations

from typing import Any

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.kind import call, only, serves, tag_map
from tests.support.aws.kinds.ec2 import Ec2
from tests.support.aws.wire import Properties


@serves("aws:ec2/routeTable:RouteTable")
class RouteTable(Ec2):
    """A route table; its routes are resources of their own."""

    served = ("vpcId",)
    replaces = ("vpcId",)
    chosen = ("routes", "propagatingVgws")
    refers = {"vpcId": "vpc"}

    def create(self, inputs: Properties) -> str:
        made = self.cloud("ec2").create_route_table(VpcId=inputs["vpcId"])
        return str(made["RouteTable"]["RouteTableId"])

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_route_tables(RouteTableIds=[id_])["RouteTables"]
        table = only(found, id_)
        return {
            "arn": self.cloud.arn("ec2", f"route-table/{id_}"),
            "ownerId": self.cloud.account,
            "vpcId": table["VpcId"],
            "tagsAll": tag_map(table.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_route_table(RouteTableId=id_)


@serves("aws:ec2/route:Route")
class Route(Ec2):
    """A route, with one target."""

    targets = {
        "gatewayId": "GatewayId",
        "natGatewayId": "NatGatewayId",
        "vpcPeeringConnectionId": "VpcPeeringConnectionId",
    }
    served = ("routeTableId", "destinationCidrBlock", *targets)
    replaces = ("routeTableId", "destinationCidrBlock")
    chosen = ("networkInterfaceId",)
    replaced_first = True
    refers = {
        "routeTableId": "route table",
        "gatewayId": "internet gateway",
        "natGatewayId": "nat gateway",
        "vpcPeeringConnectionId": "peering",
    }

    def check(self, inputs: Properties) -> Failures:
        """A route has a destination and one target; one that is unknown yet may be it."""
        if "destinationCidrBlock" in inputs:
            yield from checks.cidr("destinationCidrBlock", inputs["destinationCidrBlock"])
        if sum(name in inputs for name in self.targets) > 1:
            yield "gatewayId", f"only one of `{','.join(self.targets)}` can be specified"

    def create(self, inputs: Properties) -> str:
        self.cloud("ec2").create_route(
            **call(inputs, "routeTableId", "destinationCidrBlock", **self.targets)
        )
        return f"{inputs['routeTableId']}_{inputs['destinationCidrBlock']}"

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old:
            self.cloud("ec2").replace_route(
                **call(new, "routeTableId", "destinationCidrBlock", **self.targets)
            )

    def read(self, id_: str) -> Properties:
        table, _, destination = id_.partition("_")
        found = self.cloud("ec2").describe_route_tables(RouteTableIds=[table])["RouteTables"]
        routes = [
            one
            for one in only(found, table)["Routes"]
            if one.get("DestinationCidrBlock") == destination
        ]
        route = only(routes, id_)
        return {
            "routeTableId": table,
            "destinationCidrBlock": destination,
            "state": route["State"],
            "origin": route.get("Origin"),
            **{ours: route.get(theirs) for ours, theirs in self.targets.items()},
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        table, _, destination = id_.partition("_")
        self.cloud("ec2").delete_route(RouteTableId=table, DestinationCidrBlock=destination)


@serves("aws:ec2/routeTableAssociation:RouteTableAssociation")
class RouteTableAssociation(Ec2):
    """Which table a subnet uses. (Of the real one another table is an update with a new id.)"""

    served = ("subnetId", "routeTableId")
    replaces = served
    replaced_first = True
    refers = {"subnetId": "subnet", "routeTableId": "route table"}

    def check(self, inputs: Properties) -> Failures:
        """Only one of a subnet is served, not of a gateway."""
        yield from ()

    def create(self, inputs: Properties) -> str:
        made = self.cloud("ec2").associate_route_table(**call(inputs, *self.served))
        return str(made["AssociationId"])

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_route_tables(
            Filters=[{"Name": "association.route-table-association-id", "Values": [id_]}]
        )
        table = only(found["RouteTables"], id_)
        [association] = [
            one for one in table["Associations"] if one["RouteTableAssociationId"] == id_
        ]
        return {"subnetId": association["SubnetId"], "routeTableId": association["RouteTableId"]}

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").disassociate_route_table(AssociationId=id_)


def _peering(kind: Ec2, id_: str) -> Any:
    found = kind.cloud("ec2").describe_vpc_peering_connections(VpcPeeringConnectionIds=[id_])
    ended = ("deleted", "rejected", "failed", "expired")
    return only(
        [one for one in found["VpcPeeringConnections"] if one["Status"]["Code"] not in ended], id_
    )


@serves("aws:ec2/vpcPeeringConnection:VpcPeeringConnection")
class VpcPeeringConnection(Ec2):
    """The request to join two VPCs, of one region or of two."""

    served = ("vpcId", "peerVpcId", "peerRegion")
    replaces = ("vpcId", "peerVpcId", "peerRegion")
    chosen = ("peerOwnerId", "peerRegion")
    guides = ("autoAccept",)
    refers = {"vpcId": "vpc"}

    def check(self, inputs: Properties) -> Failures:
        """A peer in another region accepts by itself, there."""
        if inputs.get("autoAccept") and inputs.get("peerRegion", self.cloud.region) != (
            inputs.get("region", self.cloud.region)
        ):
            yield "autoAccept", "`peer_region` cannot be set whilst `auto_accept` is `true`"

    def create(self, inputs: Properties) -> str:
        self.cloud("ec2", inputs.get("peerRegion", "")).describe_vpcs(VpcIds=[inputs["peerVpcId"]])
        made = self.cloud("ec2").create_vpc_peering_connection(
            **call(inputs, "vpcId", "peerVpcId", "peerRegion")
        )
        return str(made["VpcPeeringConnection"]["VpcPeeringConnectionId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if new.get("autoAccept") and not old.get("autoAccept"):
            self.cloud("ec2").accept_vpc_peering_connection(VpcPeeringConnectionId=id_)

    def read(self, id_: str) -> Properties:
        peering = _peering(self, id_)
        accepter = peering["AccepterVpcInfo"]
        return {
            "acceptStatus": peering["Status"]["Code"],
            "vpcId": peering["RequesterVpcInfo"]["VpcId"],
            "peerVpcId": accepter["VpcId"],
            "peerRegion": accepter.get("Region"),
            "peerOwnerId": accepter.get("OwnerId"),
            "tagsAll": self.tags_of(id_),  # each side has its own
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_vpc_peering_connection(VpcPeeringConnectionId=id_)


@serves("aws:ec2/vpcPeeringConnectionAccepter:VpcPeeringConnectionAccepter")
class VpcPeeringConnectionAccepter(Ec2):
    """The peer's side; deleting it leaves the connection, as with the real provider."""

    served = ("vpcPeeringConnectionId",)
    replaces = served
    guides = ("autoAccept",)
    refers = {"vpcPeeringConnectionId": "peering"}

    def create(self, inputs: Properties) -> str:
        return str(inputs["vpcPeeringConnectionId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if new.get("autoAccept") and _peering(self, id_)["Status"]["Code"] != "active":
            self.cloud("ec2").accept_vpc_peering_connection(VpcPeeringConnectionId=id_)

    def read(self, id_: str) -> Properties:
        peering = _peering(self, id_)
        requester, accepter = peering["RequesterVpcInfo"], peering["AccepterVpcInfo"]
        return {
            "vpcPeeringConnectionId": id_,
            "acceptStatus": peering["Status"]["Code"],
            "vpcId": accepter["VpcId"],
            "peerVpcId": requester["VpcId"],
            "peerRegion": requester.get("Region"),
            "peerOwnerId": requester.get("OwnerId"),
            "tagsAll": self.tags_of(id_),  # each side has its own
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        """Only stop declaring it."""
