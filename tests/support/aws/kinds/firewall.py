"""Security groups and their rules."""

from __future__ import annotations

from typing import Any

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Gone, refusal
from tests.support.aws.kind import call, changed, only, serves, tag_map
from tests.support.aws.kinds.ec2 import Ec2
from tests.support.aws.wire import Properties

EVERYTHING = {"IpProtocol": "-1", "IpRanges": [{"CidrIp": "0.0.0.0/0"}]}


@serves("aws:ec2/securityGroup:SecurityGroup")
class SecurityGroup(Ec2):
    """A security group; without rules it admits nothing, in or out."""

    served = ("name", "description", "vpcId", "ingress", "egress")
    replaces = ("name", "description", "vpcId")
    chosen = ("vpcId", "ingress", "egress")
    guides = ("revokeRulesOnDelete",)
    named = "name"
    defaults = {"description": "Managed by Pulumi"}
    refers = {"vpcId": "vpc"}

    def check(self, inputs: Properties) -> Failures:
        """Names, and ports and addresses of the rules in it."""
        name = inputs.get("name", "x")
        if len(name) > 255 or name.startswith("sg-"):
            yield "name", f"invalid value for name ({name!r}): 1 to 255, not beginning with sg-"
        yield from checks.matches(
            *("description", inputs.get("description", ""), r"[\w .:/()#,@\[\]+=&;{}!$*-]{0,255}"),
            "a description has letters, digits and ._-:/()#,@[]+=&;{}!$* only",
        )
        for way in ("ingress", "egress"):
            for at, rule in enumerate(inputs.get(way) or []):
                for block in rule.get("cidrBlocks") or []:
                    yield from checks.cidr(f"{way}[{at}].cidrBlocks", block)
                yield from _ports(f"{way}[{at}].", rule["fromPort"], rule["toPort"])

    def create(self, inputs: Properties) -> str:
        ec2 = self.cloud("ec2")
        id_ = ec2.create_security_group(**call(inputs, "description", "vpcId", name="GroupName"))[
            "GroupId"
        ]
        ec2.revoke_security_group_egress(GroupId=id_, IpPermissions=[EVERYTHING])
        return str(id_)

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        ec2 = self.cloud("ec2")
        for way in changed(old, new, "ingress", "egress"):
            if gone := old.get(way):
                getattr(ec2, f"revoke_security_group_{way}")(
                    GroupId=id_, IpPermissions=[_permission(id_, one) for one in gone]
                )
            if rules := new.get(way):
                getattr(ec2, f"authorize_security_group_{way}")(
                    GroupId=id_, IpPermissions=[_permission(id_, one) for one in rules]
                )

    def read(self, id_: str) -> Properties:
        group = self.cloud("ec2").describe_security_groups(GroupIds=[id_])["SecurityGroups"][0]
        return {
            "arn": self.cloud.arn("ec2", f"security-group/{id_}"),
            "ownerId": group["OwnerId"],
            "name": group["GroupName"],
            "description": group["Description"],
            "vpcId": group.get("VpcId"),
            "ingress": [_rule(id_, one) for one in group["IpPermissions"]],
            "egress": [_rule(id_, one) for one in group["IpPermissionsEgress"]],
            "tagsAll": tag_map(group.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("ec2").delete_security_group(GroupId=id_)


ENDS = ("cidrIpv4", "cidrIpv6", "prefixListId", "referencedSecurityGroupId")
"""What a rule is for: one of them."""


class _Rule(Ec2):
    """A rule by itself."""

    egress: bool
    served = (
        *("securityGroupId", "ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6"),
        *("referencedSecurityGroupId", "prefixListId", "description"),
    )
    replaces = ("securityGroupId",)
    refers = {"securityGroupId": "security group", "referencedSecurityGroupId": "security group"}

    def check(self, inputs: Properties) -> Failures:
        """A rule has one source or destination, and ports unless it is for every protocol."""
        if sum(name in inputs for name in ENDS) > 1:
            yield ENDS[0], f"only one of `{','.join(ENDS)}` can be specified"
        for name in ("cidrIpv4", "cidrIpv6"):
            if name in inputs:
                yield from checks.cidr(name, inputs[name])
        protocol = inputs.get("ipProtocol", "-1")
        yield from checks.one_of("ipProtocol", protocol, "-1", "tcp", "udp", "icmp", "icmpv6")
        if protocol in ("tcp", "udp"):
            for name in ("fromPort", "toPort"):
                if self.lacks(inputs, name):
                    yield name, f"MissingParameter: {protocol} needs {name}"
            yield from _ports("", inputs.get("fromPort", 0), inputs.get("toPort", 65535))

    def create(self, inputs: Properties) -> str:
        if not any(inputs.get(name) for name in ENDS):
            reason = f"The request must contain one of {', '.join(ENDS)}"
            raise refusal("MissingParameter", reason, "AuthorizeSecurityGroupRule")
        way = "egress" if self.egress else "ingress"
        made = getattr(self.cloud("ec2"), f"authorize_security_group_{way}")(
            GroupId=inputs["securityGroupId"], IpPermissions=[_alone(inputs)]
        )
        return str(made["SecurityGroupRules"][0]["SecurityGroupRuleId"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if new.get("prefixListId") or new.get("referencedSecurityGroupId"):
            # Of which moto keeps no description.
            self.kept.write(id_, {"description": new.get("description")})
        if old and list(changed(old, new, *self.served)):
            self.cloud("ec2").modify_security_group_rules(
                GroupId=new["securityGroupId"],
                SecurityGroupRules=[
                    {"SecurityGroupRuleId": id_, "SecurityGroupRule": _request(new)}
                ],
            )

    def read(self, id_: str) -> Properties:
        found = self.cloud("ec2").describe_security_group_rules(SecurityGroupRuleIds=[id_])
        rule = only(found["SecurityGroupRules"], id_)
        if rule["IsEgress"] != self.egress:
            raise Gone(id_)
        anything = rule["IpProtocol"] == "-1"
        described = rule.get("Description")
        if rule.get("PrefixListId") or rule.get("ReferencedGroupInfo"):
            described = (self.kept.read(id_) or {}).get("description")
        return {
            "arn": self.cloud.arn("ec2", f"security-group-rule/{id_}"),
            "securityGroupRuleId": id_,
            "securityGroupId": rule["GroupId"],
            "ipProtocol": rule["IpProtocol"],
            "fromPort": None if anything else rule.get("FromPort"),
            "toPort": None if anything else rule.get("ToPort"),
            "cidrIpv4": rule.get("CidrIpv4"),
            "cidrIpv6": rule.get("CidrIpv6"),
            "prefixListId": rule.get("PrefixListId"),
            "referencedSecurityGroupId": rule.get("ReferencedGroupInfo", {}).get("GroupId"),
            "description": described or None,
            "tagsAll": tag_map(rule.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        way = "egress" if self.egress else "ingress"
        getattr(self.cloud("ec2"), f"revoke_security_group_{way}")(
            GroupId=self.read(id_)["securityGroupId"], SecurityGroupRuleIds=[id_]
        )
        self.kept.delete(id_)


@serves("aws:vpc/securityGroupIngressRule:SecurityGroupIngressRule")
class SecurityGroupIngressRule(_Rule):
    """What may come in."""

    egress = False


@serves("aws:vpc/securityGroupEgressRule:SecurityGroupEgressRule")
class SecurityGroupEgressRule(_Rule):
    """What may go out."""

    egress = True


def _ports(path: str, first: int, last: int) -> Failures:
    yield from checks.between(f"{path}fromPort", first, -1, 65535)
    yield from checks.between(f"{path}toPort", last, -1, 65535)
    if first > last:
        yield (
            f"{path}fromPort",
            f"InvalidParameterValue: Invalid TCP/UDP port range ({first}:{last})",
        )


def _permission(group: str, rule: dict[str, Any]) -> dict[str, Any]:
    """Return a rule that is written in a group as EC2 takes it."""
    groups = [*(rule.get("securityGroups") or []), *([group] if rule.get("self") else [])]
    about = call(rule, "description")
    return {
        "IpProtocol": rule["protocol"],
        **({} if rule["protocol"] == "-1" else call(rule, "fromPort", "toPort")),
        "IpRanges": [{"CidrIp": one, **about} for one in rule.get("cidrBlocks") or []],
        "UserIdGroupPairs": [{"GroupId": one, **about} for one in groups],
    }


def _rule(group: str, permission: dict[str, Any]) -> dict[str, Any]:
    """Return what EC2 says of a rule as it is written in a group."""
    pairs = [one["GroupId"] for one in permission.get("UserIdGroupPairs") or []]
    ranges = permission.get("IpRanges") or []
    about = {one["Description"] for one in ranges if one.get("Description")}
    return {
        "protocol": permission["IpProtocol"],
        "fromPort": permission.get("FromPort", 0),
        "toPort": permission.get("ToPort", 0),
        "cidrBlocks": [one["CidrIp"] for one in ranges],
        "securityGroups": [one for one in pairs if one != group],
        "self": group in pairs,
        "description": about.pop() if len(about) == 1 else "",
    }


def _alone(inputs: Properties) -> dict[str, Any]:
    about = call(inputs, "description")
    permission = call(inputs, "ipProtocol", "fromPort", "toPort")
    for name, (many, one) in {
        "cidrIpv4": ("IpRanges", "CidrIp"),
        "cidrIpv6": ("Ipv6Ranges", "CidrIpv6"),
        "prefixListId": ("PrefixListIds", "PrefixListId"),
        "referencedSecurityGroupId": ("UserIdGroupPairs", "GroupId"),
    }.items():
        if inputs.get(name):
            permission[many] = [{one: inputs[name], **about}]
    return permission


def _request(inputs: Properties) -> dict[str, Any]:
    names = ("ipProtocol", "fromPort", "toPort", "cidrIpv4", "cidrIpv6", "prefixListId")
    return call(inputs, *names, "description", referencedSecurityGroupId="ReferencedGroupId")
