"""Networks: VPCs, subnets, gateways, addresses, endpoints, flow logs."""

from __future__ import annotations

from typing import Any

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import refusal
from tests.support.aws.kind import call, changed, only, optional, serves, tag_map, upper
from tests.support.aws.kinds.ec2 import Ec2
from tests.support.aws.wire import Properties


@serves("aws:ec2/vpc:Vpc")
class Vpc(Ec2):
    """A virtual private cloud."""

    served = ("cidrBlock", "enableDnsHostnames", "enableDnsSupport", "instanceTenancy")
    replaces = ("cidrBlock",)
    chosen = ("enableDnsHostnames",)
    defaults = {"enableDnsSupport": True, "instanceTenancy": "default"}

    def check(self, inputs: Properties) -> Failures:
        """A VPC has 16 to 65536 addresses."""
        if self.lacks(inputs, "cidrBlock"):
            yield "cidrBlock", "one of `cidr_block,ipv4_ipam_pool_id` must be specified"
        if "cidrBlock" in inputs:
            yield from checks.cidr("cidrBlock", inputs["cidrBlock"], 28, 16)
        yield from checks.one_of(
            "instanceTenancy", inputs.get("instanceTenancy"), "default", "dedicated"
        )

    def create(self, inputs: Properties) -> str:
        arguments = call(inputs, "cidrBlock", "instanceTenancy")
        return str(self.cloud("ec2").create_vpc(**arguments)["Vpc"]["VpcId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old, new, "enableDnsSupport", "enableDnsHostnames"):
            self.cloud("ec2").modify_vpc_attribute(
                VpcId=id_, **{upper(name): {"Value": new.get(name, False)}}
            )
        if old and old["instanceTenancy"] != new["instanceTenancy"]:
            self.cloud("ec2").modify_vpc_tenancy(VpcId=id_, InstanceTenancy=new["instanceTenancy"])

    def read(self, id_: str) -> Properties:
        ec2 = self.cloud("ec2")
        vpc = ec2.describe_vpcs(VpcIds=[id_])["Vpcs"][0]
        of_it = [{"Name": "vpc-id", "Values": [id_]}]
        groups = ec2.describe_security_groups(
            Filters=[*of_it, {"Name": "group-name", "Values": ["default"]}]
        )["SecurityGroups"]
        main = ec2.describe_route_tables(
            Filters=[*of_it, {"Name": "association.main", "Values": ["true"]}]
        )["RouteTables"]

        def attribute(name: str) -> bool:
            found = ec2.describe_vpc_attribute(VpcId=id_, Attribute=name)
            return bool(found[upper(name)]["Value"])

        return {
            "arn": self.cloud.arn("ec2", f"vpc/{id_}"),
            "ownerId": self.cloud.account,
            "cidrBlock": vpc["CidrBlock"],
            "instanceTenancy": vpc["InstanceTenancy"],
            "enableDnsSupport": attribute("enableDnsSupport"),
            "enableDnsHostnames": attribute("enableDnsHostnames"),
            "defaultSecurityGroupId": groups[0]["GroupId"] if groups else None,
            "mainRouteTableId": main[0]["RouteTableId"] if main else None,
            "defaultRouteTableId": main[0]["RouteTableId"] if main else None,
            "tagsAll": tag_map(vpc.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_vpc(VpcId=id_)


@serves("aws:ec2/subnet:Subnet")
class Subnet(Ec2):
    """A subnet; that it lies in its VPC and overlaps no other is checked by moto as by AWS."""

    served = ("vpcId", "cidrBlock", "availabilityZone", "mapPublicIpOnLaunch")
    replaces = ("vpcId", "cidrBlock", "availabilityZone")
    chosen = ("availabilityZone", "availabilityZoneId")
    defaults = {"mapPublicIpOnLaunch": False}
    refers = {"vpcId": "vpc"}

    def check(self, inputs: Properties) -> Failures:
        """A subnet has 16 to 65536 addresses, and lies in a zone of the provider's region."""
        if "cidrBlock" in inputs:
            yield from checks.cidr("cidrBlock", inputs["cidrBlock"], 28, 16)
        zone = inputs.get("availabilityZone", self.cloud.region)
        if not zone.startswith(inputs.get("region", self.cloud.region)):
            yield "availabilityZone", f"InvalidParameterValue: {zone} is not in this region"

    def create(self, inputs: Properties) -> str:
        arguments = call(inputs, "vpcId", "cidrBlock", "availabilityZone")
        return str(self.cloud("ec2").create_subnet(**arguments)["Subnet"]["SubnetId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old or self.defaults, new, "mapPublicIpOnLaunch"):
            self.cloud("ec2").modify_subnet_attribute(
                SubnetId=id_, MapPublicIpOnLaunch={"Value": new[name]}
            )

    def read(self, id_: str) -> Properties:
        subnet = self.cloud("ec2").describe_subnets(SubnetIds=[id_])["Subnets"][0]
        return {
            "arn": subnet["SubnetArn"],
            "ownerId": subnet["OwnerId"],
            "vpcId": subnet["VpcId"],
            "cidrBlock": subnet["CidrBlock"],
            "availabilityZone": subnet["AvailabilityZone"],
            "availabilityZoneId": subnet["AvailabilityZoneId"],
            "mapPublicIpOnLaunch": subnet["MapPublicIpOnLaunch"],
            "tagsAll": tag_map(subnet.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_subnet(SubnetId=id_)


@serves("aws:ec2/internetGateway:InternetGateway")
class InternetGateway(Ec2):
    """The way of a VPC to the internet."""

    served = ("vpcId",)
    chosen = ("vpcId",)
    refers = {"vpcId": "vpc"}

    def create(self, inputs: Properties) -> str:
        made = self.cloud("ec2").create_internet_gateway()
        return str(made["InternetGateway"]["InternetGatewayId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old, new, "vpcId"):
            if old.get(name):
                self.cloud("ec2").detach_internet_gateway(InternetGatewayId=id_, VpcId=old[name])
            if new.get(name):
                self.cloud("ec2").attach_internet_gateway(InternetGatewayId=id_, VpcId=new[name])

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_internet_gateways(InternetGatewayIds=[id_])
        gateway = only(found["InternetGateways"], id_)
        attached = gateway.get("Attachments") or [{}]
        return {
            "arn": self.cloud.arn("ec2", f"internet-gateway/{id_}"),
            "ownerId": self.cloud.account,
            "vpcId": attached[0].get("VpcId"),
            "tagsAll": tag_map(gateway.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        if vpc := self.read(id_)["vpcId"]:
            self.cloud("ec2").detach_internet_gateway(InternetGatewayId=id_, VpcId=vpc)
        self.cloud("ec2").delete_internet_gateway(InternetGatewayId=id_)


@serves("aws:ec2/eip:Eip")
class Eip(Ec2):
    """An address of one's own."""

    served = ("domain",)
    replaces = ("domain",)
    chosen = ("domain", "instance", "networkInterface", "publicIpv4Pool")

    def check(self, inputs: Properties) -> Failures:
        """Addresses are of VPCs."""
        yield from checks.one_of("domain", inputs.get("domain"), "vpc")

    def create(self, inputs: Properties) -> str:
        return str(self.cloud("ec2").allocate_address(Domain="vpc")["AllocationId"])

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_addresses(AllocationIds=[id_])["Addresses"]
        address = only(found, id_)
        return {
            "arn": self.cloud.arn("ec2", f"elastic-ip/{id_}"),
            "allocationId": id_,
            "domain": address["Domain"],
            "publicIp": address["PublicIp"],
            "associationId": address.get("AssociationId"),
            "tagsAll": tag_map(address.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").release_address(AllocationId=id_)


@serves("aws:ec2/natGateway:NatGateway")
class NatGateway(Ec2):
    """The way out for hosts without a public address."""

    served = ("subnetId", "allocationId", "connectivityType")
    replaces = served
    chosen = ("privateIp",)
    defaults = {"connectivityType": "public"}
    refers = {"subnetId": "subnet", "allocationId": "address"}

    def check(self, inputs: Properties) -> Failures:
        """A public one has an address of one's own, a private one has none."""
        public = inputs.get("connectivityType") == "public"
        yield from checks.one_of(
            "connectivityType", inputs.get("connectivityType"), "public", "private"
        )
        if not public and "allocationId" in inputs:
            yield "allocationId", "not supported with a private NAT gateway"

    def create(self, inputs: Properties) -> str:
        arguments = call(inputs, *self.served)
        return str(self.cloud("ec2").create_nat_gateway(**arguments)["NatGateway"]["NatGatewayId"])

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_nat_gateways(NatGatewayIds=[id_])["NatGateways"]
        gateway = only([one for one in found if one["State"] != "deleted"], id_)
        address = (gateway.get("NatGatewayAddresses") or [{}])[0]
        return {
            "subnetId": gateway["SubnetId"],
            "connectivityType": gateway["ConnectivityType"],
            "allocationId": address.get("AllocationId"),
            "publicIp": address.get("PublicIp"),
            "privateIp": address.get("PrivateIp"),
            "networkInterfaceId": address.get("NetworkInterfaceId"),
            "tagsAll": tag_map(gateway.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_nat_gateway(NatGatewayId=id_)


@serves("aws:ec2/vpcEndpoint:VpcEndpoint")
class VpcEndpoint(Ec2):
    """A way to a service of AWS that does not leave the VPC."""

    served = (
        *("vpcId", "serviceName", "vpcEndpointType", "routeTableIds", "subnetIds"),
        *("securityGroupIds", "privateDnsEnabled", "policy"),
    )
    replaces = ("vpcId", "serviceName", "vpcEndpointType")
    chosen = ("routeTableIds", "subnetIds", "securityGroupIds", "privateDnsEnabled", "policy")
    defaults = {"vpcEndpointType": "Gateway"}
    refers = {
        "vpcId": "vpc",
        "routeTableIds": "route table",
        "subnetIds": "subnet",
        "securityGroupIds": "security group",
    }

    def check(self, inputs: Properties) -> Failures:
        """A gateway is in route tables, an interface in subnets."""
        kind = inputs.get("vpcEndpointType")
        yield from checks.one_of("vpcEndpointType", kind, "Gateway", "Interface")
        region = inputs.get("region", self.cloud.region)
        if "serviceName" in inputs:
            pattern = rf"com\.amazonaws\.{region}\.[a-z0-9.-]+"
            yield from checks.matches(
                *("serviceName", inputs["serviceName"], pattern),
                f"The Vpc Endpoint Service '{inputs['serviceName']}' does not exist",
            )
        of_interfaces = ("subnetIds", "securityGroupIds", "privateDnsEnabled")
        for name in of_interfaces if kind == "Gateway" else ("routeTableIds",):
            if inputs.get(name):
                yield name, f"InvalidParameter: not supported with a {kind} endpoint"
        yield from checks.policy("policy", inputs.get("policy"))

    def create(self, inputs: Properties) -> str:
        arguments = call(
            *(inputs, "vpcId", "serviceName", "vpcEndpointType", "routeTableIds", "subnetIds"),
            *("securityGroupIds", "privateDnsEnabled"),
            policy="PolicyDocument",
        )
        made = self.cloud("ec2").create_vpc_endpoint(**arguments)
        return str(made["VpcEndpoint"]["VpcEndpointId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        arguments: dict[str, Any] = {}
        for name in changed(old, new, "routeTableIds", "subnetIds", "securityGroupIds"):
            had, has = set(old.get(name) or ()), set(new.get(name) or ())
            arguments[f"Add{upper(name)}"] = sorted(has - had)
            arguments[f"Remove{upper(name)}"] = sorted(had - has)
        for name in changed(old, new, "policy"):
            arguments["PolicyDocument"] = new.get(name) or ""
        for name in changed(old, new, "privateDnsEnabled"):
            arguments["PrivateDnsEnabled"] = new.get(name, False)
        arguments = {name: value for name, value in arguments.items() if value not in ([], "")}
        if old and arguments:
            self.cloud("ec2").modify_vpc_endpoint(VpcEndpointId=id_, **arguments)

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_vpc_endpoints(VpcEndpointIds=[id_])["VpcEndpoints"]
        endpoint = only([one for one in found if one["State"].lower() != "deleted"], id_)
        return {
            "arn": self.cloud.arn("ec2", f"vpc-endpoint/{id_}"),
            "ownerId": self.cloud.account,
            "vpcId": endpoint["VpcId"],
            "serviceName": endpoint["ServiceName"],
            "vpcEndpointType": endpoint["VpcEndpointType"],
            "routeTableIds": endpoint.get("RouteTableIds"),
            "subnetIds": endpoint.get("SubnetIds"),
            "securityGroupIds": [one["GroupId"] for one in endpoint.get("Groups") or []],
            "privateDnsEnabled": endpoint.get("PrivateDnsEnabled"),
            "policy": endpoint.get("PolicyDocument"),
            "prefixListId": self._prefix_list(endpoint),
            "state": endpoint["State"],
            "networkInterfaceIds": endpoint.get("NetworkInterfaceIds"),
            "tagsAll": tag_map(endpoint.get("Tags")),
        }

    def _prefix_list(self, endpoint: dict[str, Any]) -> str | None:
        """Return the list of a gateway's addresses, which rules of security groups name."""
        if endpoint["VpcEndpointType"] != "Gateway":
            return None
        for one in self.cloud("ec2").describe_prefix_lists()["PrefixLists"]:
            if one["PrefixListName"] == endpoint["ServiceName"]:
                return str(one["PrefixListId"])
        return None

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_vpc_endpoints(VpcEndpointIds=[id_])


@serves("aws:ec2/flowLog:FlowLog")
class FlowLog(Ec2):
    """A record of the connections of a VPC; nothing of it can be changed."""

    served = (
        *("vpcId", "trafficType", "logDestinationType", "logDestination", "iamRoleArn"),
        *("maxAggregationInterval",),
    )
    replaces = served
    chosen = ("logDestination", "logFormat")
    defaults = {"logDestinationType": "cloud-watch-logs", "maxAggregationInterval": 600}
    refers = {"vpcId": "vpc", "iamRoleArn": "role"}

    def check(self, inputs: Properties) -> Failures:
        """A log in CloudWatch needs the role that writes it."""
        kind = inputs.get("logDestinationType")
        yield from checks.one_of("logDestinationType", kind, "cloud-watch-logs", "s3")
        traffic = inputs.get("trafficType")
        yield from checks.one_of("trafficType", traffic, "ACCEPT", "REJECT", "ALL")
        yield from checks.one_of(
            "maxAggregationInterval", inputs.get("maxAggregationInterval"), 60, 600
        )
        if kind == "s3" and "iamRoleArn" in inputs:
            yield (
                "iamRoleArn",
                "InvalidParameter: DeliverLogsPermissionArn is not applicable for s3",
            )

    def create(self, inputs: Properties) -> str:
        made = self.cloud("ec2").create_flow_logs(
            ResourceIds=[inputs["vpcId"]],
            ResourceType="VPC",
            **call(
                *(inputs, "trafficType", "logDestinationType", "logDestination"),
                "maxAggregationInterval",
                iamRoleArn="DeliverLogsPermissionArn",
            ),
        )
        if refused := made.get("Unsuccessful"):
            said = refused[0]["Error"]
            raise refusal(said["Code"], said["Message"], "CreateFlowLogs")
        return str(made["FlowLogIds"][0])

    def read(self, id_: str) -> Properties:
        found = optional(lambda: self.cloud("ec2").describe_flow_logs(FlowLogIds=[id_]))
        log = only(found["FlowLogs"] if found else [], id_)
        return {
            "arn": self.cloud.arn("ec2", f"vpc-flow-log/{id_}"),
            "vpcId": log["ResourceId"],
            "trafficType": log["TrafficType"],
            "logDestinationType": log["LogDestinationType"],
            "logDestination": log.get("LogDestination"),
            "iamRoleArn": log.get("DeliverLogsPermissionArn"),
            "maxAggregationInterval": int(log["MaxAggregationInterval"]),
            "tagsAll": tag_map(log.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_flow_logs(FlowLogIds=[id_])
