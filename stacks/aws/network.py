"""Network: a VPC a site, the ways between them and out of them, and who may connect to what."""

from __future__ import annotations

from dataclasses import dataclass, field

import pulumi
import pulumi_aws as aws

from stacks.aws import policies
from stacks.aws.component import Component, Keys, Providers
from stacks.aws.design import GATEWAY, Design
from stacks.aws.naming import PATH
from stacks.aws.parts import Peering, SiteNetwork
from stacks.aws.ports import ENDPOINTS, EVERYWHERE, Rule, SecurityGroup


@dataclass(frozen=True)
class NetworkArgs:
    """What a network is made of."""

    design: Design
    regions: Providers
    keys: Keys


@dataclass
class SiteIds:
    """What the other components need of a site's network."""

    vpc: pulumi.Output[str]
    hosts: pulumi.Output[str]
    """The subnet of its hosts."""
    database: list[pulumi.Output[str]] = field(default_factory=list)
    """The subnets of a managed database; empty where there is none."""
    tables: dict[str, pulumi.Output[str]] = field(default_factory=dict)
    """Route tables, by use."""
    groups: dict[str, pulumi.Output[str]] = field(default_factory=dict)
    """Security groups, by name."""
    exits: list[pulumi.Resource] = field(default_factory=list)
    """What must be there before a host starts, which obtains packages first."""


class Network(Component):
    """A VPC a site, peered with those of the other sites, its flows logged."""

    TYPE = "trading:aws:Network"
    sites: dict[str, SiteIds]
    zone: pulumi.Output[str] | None
    """The private DNS zone; none in an ephemeral environment."""

    def __init__(
        self, name: str, args: NetworkArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare the network."""
        super().__init__(name, args.design, args.regions, opts)
        self._keys = args.keys
        self._flow_role = self._role()
        self.sites = {network.site: self._site(network) for network in args.design.networks}
        for peering in args.design.peerings:
            self._peering(peering)
        self.zone = None if args.design.ephemeral else self._zone()
        self.register_outputs(
            {
                "vpcs": {site: ids.vpc for site, ids in self.sites.items()},
                "subnets": {site: ids.hosts for site, ids in self.sites.items()},
                "zone": self.zone,
            }
        )

    def _site(self, network: SiteNetwork) -> SiteIds:
        site, region = network.site, network.place.region
        vpc = aws.ec2.Vpc(
            f"{site}-vpc",
            cidr_block=network.share.vpc,
            enable_dns_support=True,
            enable_dns_hostnames=True,
            tags=self._tags(f"{site}-vpc", site),
            opts=self.under(f"{site}-vpc", region),
        )
        hosts = self._subnet(network, vpc, "hosts", network.share.hosts, network.place.zone)
        ids = SiteIds(vpc=vpc.id, hosts=hosts.id)
        ids.tables["hosts"] = self._table(network, vpc, "hosts", [hosts])
        if network.nat:
            ids.exits.extend(self._nat(network, vpc, ids.tables["hosts"]))
        if network.database:
            zones = (network.place.zone, network.place.second_zone)
            subnets = [
                self._subnet(network, vpc, f"database-{count}", cidr, zone)
                for count, (cidr, zone) in enumerate(
                    zip(network.share.database, zones, strict=True), start=1
                )
            ]
            ids.database = [subnet.id for subnet in subnets]
            ids.tables["database"] = self._table(network, vpc, "database", subnets)
        groups = {group.name: self._group(group, vpc, region) for group in network.groups}
        ids.groups = {group: made.id for group, made in groups.items()}
        endpoints = {
            service: self._endpoint(network, vpc, service, ids) for service in network.endpoints
        }
        ids.exits.extend(endpoints.values())
        for group in network.groups:
            for rule in group.rules:
                self._rule(group, rule, region, ids, endpoints[GATEWAY])
        self._flows(network, vpc)
        return ids

    def _subnet(
        self, network: SiteNetwork, vpc: aws.ec2.Vpc, use: str, cidr: str, zone: str
    ) -> aws.ec2.Subnet:
        name = f"{network.site}-{use}"
        return aws.ec2.Subnet(
            name,
            vpc_id=vpc.id,
            cidr_block=cidr,
            availability_zone=zone,
            map_public_ip_on_launch=False,
            tags=self._tags(name, network.site),
            opts=self.under(name, network.place.region),
        )

    def _table(
        self, network: SiteNetwork, vpc: aws.ec2.Vpc, use: str, subnets: list[aws.ec2.Subnet]
    ) -> pulumi.Output[str]:
        name, region = f"{network.site}-{use}", network.place.region
        table = aws.ec2.RouteTable(
            f"{name}-routes",
            vpc_id=vpc.id,
            tags=self._tags(f"{name}-routes", network.site),
            opts=self.under(f"{name}-routes", region),
        )
        for count, subnet in enumerate(subnets, start=1):
            aws.ec2.RouteTableAssociation(
                f"{name}-routes-{count}",
                route_table_id=table.id,
                subnet_id=subnet.id,
                opts=self.under(f"{name}-routes-{count}", region),
            )
        return table.id

    def _nat(
        self, network: SiteNetwork, vpc: aws.ec2.Vpc, hosts_table: pulumi.Output[str]
    ) -> list[pulumi.Resource]:
        """Declare the way out: hosts connect to outside, and nothing outside to them."""
        site, region = network.site, network.place.region
        gateway = aws.ec2.InternetGateway(
            f"{site}-internet",
            vpc_id=vpc.id,
            tags=self._tags(f"{site}-internet", site),
            opts=self.under(f"{site}-internet", region),
        )
        public = self._subnet(network, vpc, "public", network.share.public, network.place.zone)
        table = self._table(network, vpc, "public", [public])
        way = aws.ec2.Route(
            f"{site}-public-out",
            route_table_id=table,
            destination_cidr_block=EVERYWHERE,
            gateway_id=gateway.id,
            opts=self.under(f"{site}-public-out", region),
        )
        address = aws.ec2.Eip(
            f"{site}-nat-address",
            domain="vpc",
            tags=self._tags(f"{site}-nat-address", site),
            opts=self.under(f"{site}-nat-address", region, depends_on=[gateway]),
        )
        nat = aws.ec2.NatGateway(
            f"{site}-nat",
            subnet_id=public.id,
            connectivity_type="public",
            allocation_id=address.id,
            tags=self._tags(f"{site}-nat", site),
            opts=self.under(f"{site}-nat", region, depends_on=[way]),
        )
        out = aws.ec2.Route(
            f"{site}-hosts-out",
            route_table_id=hosts_table,
            destination_cidr_block=EVERYWHERE,
            nat_gateway_id=nat.id,
            opts=self.under(f"{site}-hosts-out", region),
        )
        return [out]

    def _group(self, group: SecurityGroup, vpc: aws.ec2.Vpc, region: str) -> aws.ec2.SecurityGroup:
        return aws.ec2.SecurityGroup(
            group.name,
            name=f"{self._design.slug}-{group.name}",
            description=f"{group.role} of site {group.site} of {self._design.environment}",
            vpc_id=vpc.id,
            tags=self._tags(group.name, group.site),
            opts=self.under(group.name, region),
        )

    def _endpoint(
        self, network: SiteNetwork, vpc: aws.ec2.Vpc, service: str, ids: SiteIds
    ) -> aws.ec2.VpcEndpoint:
        site, region = network.site, network.place.region
        name = f"{site}-endpoint-{service}"
        gateway = service == GATEWAY
        return aws.ec2.VpcEndpoint(
            name,
            vpc_id=vpc.id,
            service_name=f"com.amazonaws.{region}.{service}",
            vpc_endpoint_type="Gateway" if gateway else "Interface",
            route_table_ids=[ids.tables["hosts"]] if gateway else None,
            subnet_ids=None if gateway else [ids.hosts],
            security_group_ids=None if gateway else [ids.groups[f"{site}-{ENDPOINTS}"]],
            private_dns_enabled=None if gateway else True,
            tags=self._tags(name, site),
            opts=self.under(name, region),
        )

    def _rule(
        self,
        group: SecurityGroup,
        rule: Rule,
        region: str,
        ids: SiteIds,
        gateway: aws.ec2.VpcEndpoint,
    ) -> None:
        name = f"{group.name}-{rule.name}"
        kind = (
            aws.vpc.SecurityGroupIngressRule
            if rule.direction == "ingress"
            else aws.vpc.SecurityGroupEgressRule
        )
        kind(
            name,
            security_group_id=ids.groups[group.name],
            ip_protocol=rule.protocol,
            from_port=rule.port,
            to_port=rule.port,
            cidr_ipv4=rule.cidr or None,
            referenced_security_group_id=ids.groups[rule.group] if rule.group else None,
            prefix_list_id=gateway.prefix_list_id if rule.prefix else None,
            description=_described(rule.why),
            tags=self._tags(name, group.site),
            opts=self.under(name, region),
        )

    def _role(self) -> pulumi.Output[str]:
        """Return the role that writes flow logs; an ephemeral environment finds it there."""
        design = self._design
        if design.ephemeral:
            return pulumi.Output.from_input(
                policies.role_arn(design.account, policies.CI_FLOW_LOGS)
            )
        region = design.home.place.region
        role = aws.iam.Role(
            "flow-logs",
            name=f"{design.slug}-flow-logs",
            path=PATH,
            assume_role_policy=policies.trust("vpc-flow-logs", design.account),
            tags=self._tags("flow-logs"),
            opts=self.under("flow-logs", region),
        )
        aws.iam.RolePolicy(
            "flow-logs-policy",
            role=role.name,
            policy=policies.flow_logs(design.account, design.slug),
            opts=self.under("flow-logs-policy", region),
        )
        return role.arn

    def _flows(self, network: SiteNetwork, vpc: aws.ec2.Vpc) -> None:
        site, region = network.site, network.place.region
        group = aws.cloudwatch.LogGroup(
            f"{site}-vpc-flow-group",
            name=f"/opsctl/{self._design.slug}/{site}/flows",
            retention_in_days=self._design.log_days,
            kms_key_id=self._keys.get(region),
            tags=self._tags(f"{site}-vpc-flow-group", site),
            opts=self.under(f"{site}-vpc-flow-group", region),
        )
        aws.ec2.FlowLog(
            f"{site}-vpc-flows",
            vpc_id=vpc.id,
            traffic_type="ALL",
            log_destination_type="cloud-watch-logs",
            log_destination=group.arn,
            iam_role_arn=self._flow_role,
            max_aggregation_interval=60,
            tags=self._tags(f"{site}-vpc-flows", site),
            opts=self.under(f"{site}-vpc-flows", region),
        )

    def _peering(self, peering: Peering) -> None:
        one = self._design.network(peering.requester)
        other = self._design.network(peering.accepter)
        region, region2 = one.place.region, other.place.region
        name = f"peering-{peering.name}"
        made = aws.ec2.VpcPeeringConnection(
            name,
            vpc_id=self.sites[one.site].vpc,
            peer_vpc_id=self.sites[other.site].vpc,
            peer_region=region2 if peering.across_regions else None,
            auto_accept=None if peering.across_regions else True,
            tags=self._tags(name),
            opts=self.under(name, region),
        )
        ready: list[pulumi.Resource] = [made]
        if peering.across_regions:
            ready = [
                aws.ec2.VpcPeeringConnectionAccepter(
                    f"{name}-accepted",
                    vpc_peering_connection_id=made.id,
                    auto_accept=True,
                    tags=self._tags(f"{name}-accepted"),
                    opts=self.under(f"{name}-accepted", region2),
                )
            ]
        for here, there, at in ((one, other, region), (other, one, region2)):
            for use, table in self.sites[here.site].tables.items():
                route = f"{here.site}-{use}-to-{there.site}"
                aws.ec2.Route(
                    route,
                    route_table_id=table,
                    destination_cidr_block=there.share.vpc,
                    vpc_peering_connection_id=made.id,
                    opts=self.under(route, at, depends_on=ready),
                )

    def _zone(self) -> pulumi.Output[str]:
        zone = aws.route53.Zone(
            "zone",
            name=self._design.domain,
            comment=f"hosts of environment {self._design.environment}",
            vpcs=[
                {"vpc_id": self.sites[one.site].vpc, "vpc_region": one.place.region}
                for one in self._design.networks
            ],
            tags=self._tags("zone"),
            opts=self.under("zone", self._design.home.place.region, stateful=True),
        )
        return zone.zone_id


def _described(why: str) -> str:
    # What AWS takes in a description: 255 of these characters.
    allowed = " ._-:/()#,@[]+=&;{}!$*"
    return "".join(c if c.isascii() and (c.isalnum() or c in allowed) else "-" for c in why)[:255]
