"""Names: hosted zones, records, health checks."""

from __future__ import annotations

import ipaddress
import uuid
from typing import Any

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Gone
from tests.support.aws.kind import Kind, call, changed, serves, tag_list, tag_map
from tests.support.aws.wire import Properties

LABEL = r"(\*|[A-Za-z0-9_]([A-Za-z0-9_-]{0,61}[A-Za-z0-9_])?)"
DOMAIN = rf"{LABEL}(\.{LABEL})*\.?"
TYPES = ("A", "AAAA", "CNAME", "TXT", "MX", "NS", "SOA", "SRV", "CAA", "PTR")


class _Route53(Kind):
    """A type of Route 53, which is in no region."""

    everywhere = True
    tagged_as: str

    def tags(self, id_: str) -> dict[str, str]:
        """Return the tags."""
        found = self.cloud("route53").list_tags_for_resource(
            ResourceType=self.tagged_as, ResourceId=id_
        )
        return tag_map(found["ResourceTagSet"]["Tags"])

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        self.cloud("route53").change_tags_for_resource(
            ResourceType=self.tagged_as,
            ResourceId=id_,
            **({"AddTags": tag_list(tags)} if tags else {}),
            **({"RemoveTagKeys": gone} if gone else {}),
        )


@serves("aws:route53/zone:Zone")
class Zone(_Route53):
    """A hosted zone; private if it names VPCs."""

    tagged_as = "hostedzone"
    served = ("name", "comment", "vpcs")
    replaces = ("name",)
    named = "name"
    guides = ("forceDestroy",)
    chosen = ("vpcs",)
    defaults = {"comment": "Managed by Pulumi", "forceDestroy": False}

    def check(self, inputs: Properties) -> Failures:
        """A domain's name."""
        yield from checks.matches("name", inputs.get("name", "x"), DOMAIN, "InvalidDomainName")

    def create(self, inputs: Properties) -> str:
        vpcs = [self._vpc(one) for one in inputs.get("vpcs") or []]
        for one in vpcs:
            self.cloud("ec2", one["VPCRegion"]).describe_vpcs(VpcIds=[one["VPCId"]])
        made = self.cloud("route53").create_hosted_zone(
            Name=inputs["name"],
            CallerReference=str(uuid.uuid4()),
            HostedZoneConfig={"Comment": inputs["comment"], "PrivateZone": bool(vpcs)},
            **({"VPC": vpcs[0]} if vpcs else {}),
        )
        id_ = str(made["HostedZone"]["Id"]).rpartition("/")[2]
        for one in vpcs[1:]:
            self.cloud("route53").associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC=one)
        return id_

    def _vpc(self, one: Properties) -> dict[str, str]:
        return {"VPCId": one["vpcId"], "VPCRegion": one.get("vpcRegion") or self.cloud.region}

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        route53 = self.cloud("route53")
        for name in changed(old, new, "comment") if old else ():
            route53.update_hosted_zone_comment(Id=id_, Comment=new[name])
        for name in changed(old, new, "vpcs") if old else ():
            had = [self._vpc(one) for one in old.get(name) or []]
            has = [self._vpc(one) for one in new.get(name) or []]
            for one in [one for one in has if one not in had]:
                route53.associate_vpc_with_hosted_zone(HostedZoneId=id_, VPC=one)
            for one in [one for one in had if one not in has]:
                route53.disassociate_vpc_from_hosted_zone(HostedZoneId=id_, VPC=one)

    def read(self, id_: str) -> Properties:
        found = self.cloud("route53").get_hosted_zone(Id=id_)
        zone, servers = found["HostedZone"], found.get("DelegationSet", {}).get("NameServers")
        return {
            "arn": f"arn:aws:route53:::hostedzone/{id_}",
            "zoneId": id_,
            "name": zone["Name"].removesuffix("."),
            "comment": zone.get("Config", {}).get("Comment"),
            "nameServers": servers or [],
            "primaryNameServer": (servers or [None])[0],
            "vpcs": [
                {"vpcId": one["VPCId"], "vpcRegion": one["VPCRegion"]}
                for one in found.get("VPCs") or []
            ],
            "tagsAll": self.tags(id_),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("route53").delete_hosted_zone(Id=id_)


@serves("aws:route53/record:Record")
class Record(_Route53):
    """A record: simple, an alias, or one of a failover pair or of weights."""

    served = (
        *("zoneId", "name", "type", "ttl", "records", "aliases", "setIdentifier"),
        *("failoverRoutingPolicies", "weightedRoutingPolicies", "healthCheckId"),
    )
    replaces = ("zoneId", "name", "type", "setIdentifier")
    replaced_first = True
    guides = ("allowOverwrite",)
    refers = {"zoneId": "zone", "healthCheckId": "health check"}

    def check(self, inputs: Properties) -> Failures:
        """Names, values by type, and that a record of many has an identifier."""
        yield from checks.matches("name", inputs.get("name", "x"), DOMAIN, "InvalidDomainName")
        yield from checks.one_of("type", inputs.get("type"), *TYPES)
        policies = inputs.get("failoverRoutingPolicies"), inputs.get("weightedRoutingPolicies")
        if any(policies) and self.lacks(inputs, "setIdentifier"):
            yield "setIdentifier", "required when a routing policy is set"
        for at, one in enumerate(policies[0] or []):
            path = f"failoverRoutingPolicies[{at}].type"
            yield from checks.one_of(path, one["type"], "PRIMARY", "SECONDARY")
        if "records" in inputs and self.lacks(inputs, "ttl"):
            yield "ttl", "all of `records,ttl` must be specified"
        if "records" in inputs and "aliases" in inputs:
            yield "records", "conflicts with aliases"
        if inputs.get("type") == "A":
            for at, value in enumerate(inputs.get("records") or []):
                try:
                    ipaddress.IPv4Address(value)
                except ValueError:
                    yield f"records[{at}]", f"InvalidChangeBatch: {value!r} is not an IPv4 address"

    def create(self, inputs: Properties) -> str:
        self._change("CREATE", self._record_set(inputs), inputs["zoneId"])
        end = f"_{inputs['setIdentifier']}" if inputs.get("setIdentifier") else ""
        return f"{inputs['zoneId']}_{inputs['name']}_{inputs['type']}{end}"

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old:
            self._change("UPSERT", self._record_set(new), new["zoneId"])

    def _change(self, action: str, record: dict[str, Any], zone: str) -> None:
        self.cloud("route53").change_resource_record_sets(
            HostedZoneId=zone,
            ChangeBatch={"Changes": [{"Action": action, "ResourceRecordSet": record}]},
        )

    def _record_set(self, inputs: Properties) -> dict[str, Any]:
        record = call(inputs, "name", "type", "setIdentifier", "healthCheckId", ttl="TTL")
        if records := inputs.get("records"):
            record["ResourceRecords"] = [{"Value": one} for one in records]
        for one in inputs.get("aliases") or []:
            record["AliasTarget"] = {
                "DNSName": one["name"],
                "HostedZoneId": one["zoneId"],
                "EvaluateTargetHealth": one["evaluateTargetHealth"],
            }
        for one in inputs.get("failoverRoutingPolicies") or []:
            record["Failover"] = one["type"]
        for one in inputs.get("weightedRoutingPolicies") or []:
            record["Weight"] = one["weight"]
        return record

    def _find(self, id_: str) -> dict[str, Any]:
        zone, name, type_, *identifier = id_.split("_", 3)
        pages = self.cloud("route53").get_paginator("list_resource_record_sets")
        wanted = name.removesuffix(".").replace("*", "\\052")
        for page in pages.paginate(HostedZoneId=zone):
            for one in page["ResourceRecordSets"]:
                if (
                    one["Name"].removesuffix(".") in (wanted, name.removesuffix("."))
                    and one["Type"] == type_
                    and one.get("SetIdentifier", "") == (identifier or [""])[0]
                ):
                    found: dict[str, Any] = one
                    return found
        raise Gone(id_)

    def read(self, id_: str) -> Properties:
        record, (zone, name, *_) = self._find(id_), id_.split("_", 3)
        alias = record.get("AliasTarget")
        return {
            "zoneId": zone,
            "name": name,
            "fqdn": record["Name"].removesuffix("."),
            "type": record["Type"],
            "ttl": record.get("TTL"),
            "records": [one["Value"] for one in record.get("ResourceRecords") or []] or None,
            "setIdentifier": record.get("SetIdentifier"),
            "healthCheckId": record.get("HealthCheckId"),
            "failoverRoutingPolicies": [{"type": record["Failover"]}]
            if "Failover" in record
            else None,
            "weightedRoutingPolicies": [{"weight": record["Weight"]}]
            if "Weight" in record
            else None,
            "aliases": [
                {
                    "name": alias["DNSName"],
                    "zoneId": alias["HostedZoneId"],
                    "evaluateTargetHealth": alias["EvaluateTargetHealth"],
                }
            ]
            if alias
            else None,
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self._change("DELETE", self._find(id_), id_.partition("_")[0])


@serves("aws:route53/healthCheck:HealthCheck")
class HealthCheck(_Route53):
    """A health check (moto's are always healthy)."""

    tagged_as = "healthcheck"
    config = {
        "type": "Type",
        "fqdn": "FullyQualifiedDomainName",
        "ipAddress": "IPAddress",
        "port": "Port",
        "resourcePath": "ResourcePath",
        "searchString": "SearchString",
        "requestInterval": "RequestInterval",
        "failureThreshold": "FailureThreshold",
        "invertHealthcheck": "Inverted",
        "disabled": "Disabled",
        "measureLatency": "MeasureLatency",
        "enableSni": "EnableSNI",
    }
    fixed = ("type", "requestInterval", "measureLatency")
    beside = ("cloudwatchAlarmName", "cloudwatchAlarmRegion", "insufficientDataHealthStatus")
    served = (*config, *beside)
    replaces = fixed
    chosen = ("enableSni", "invertHealthcheck", "measureLatency")
    defaults = {"disabled": False}

    def check(self, inputs: Properties) -> Failures:
        """What Route 53 can check, and how often."""
        known = ("HTTP", "HTTPS", "TCP", "HTTP_STR_MATCH", "HTTPS_STR_MATCH", "CLOUDWATCH_METRIC")
        yield from checks.one_of("type", inputs.get("type"), *known)
        yield from checks.one_of("requestInterval", inputs.get("requestInterval"), 10, 30)
        yield from checks.between("failureThreshold", inputs.get("failureThreshold"), 1, 10)
        yield from checks.between("port", inputs.get("port"), 1, 65535)
        if "ipAddress" in inputs:
            try:
                ipaddress.ip_address(inputs["ipAddress"])
            except ValueError:
                yield "ipAddress", f"{inputs['ipAddress']!r} is not an IP address"

    def create(self, inputs: Properties) -> str:
        made = self.cloud("route53").create_health_check(
            CallerReference=str(uuid.uuid4()),
            HealthCheckConfig=call(inputs, **self.config) | self._alarm(inputs),
        )
        return str(made["HealthCheck"]["Id"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if old and list(changed(old, new, *self.served)):
            changeable = {
                ours: theirs for ours, theirs in self.config.items() if ours not in self.fixed
            }
            self.cloud("route53").update_health_check(
                HealthCheckId=id_, **call(new, **changeable), **self._alarm(new)
            )

    def _alarm(self, inputs: Properties) -> dict[str, Any]:
        """Return the alarm that decides; moto does not keep it."""
        found = call(inputs, "insufficientDataHealthStatus")
        if "cloudwatchAlarmName" in inputs:
            found["AlarmIdentifier"] = call(
                inputs, cloudwatchAlarmName="Name", cloudwatchAlarmRegion="Region"
            )
        return found

    def read(self, id_: str) -> Properties:
        found = self.cloud("route53").get_health_check(HealthCheckId=id_)
        config = found["HealthCheck"]["HealthCheckConfig"]
        return {
            "arn": f"arn:aws:route53:::healthcheck/{id_}",
            **{
                ours: config[theirs]
                for ours, theirs in self.config.items()
                if config.get(theirs) is not None
            },
            "tagsAll": self.tags(id_),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.read(id_)  # moto says nothing of one that is gone
        self.cloud("route53").delete_health_check(HealthCheckId=id_)
