"""CiIdentity: how the firm's CI makes ephemeral environments, without a key that can be lost."""

from __future__ import annotations

from dataclasses import dataclass

import pulumi
import pulumi_aws as aws

from stacks.aws import policies
from stacks.aws.ci_policy import ci_policy
from stacks.aws.component import Component, Providers
from stacks.aws.design import Design
from stacks.aws.keys import declare_key
from stacks.aws.naming import EPHEMERAL, PATH
from stacks.aws.parts import CiPart


@dataclass(frozen=True)
class CiIdentityArgs:
    """What the identity of CI is made of."""

    design: Design
    regions: Providers
    ci: CiPart


class CiIdentity(Component):
    """A role that jobs of one repository take by their own tokens, for an hour at most.

    Beside it the two roles that ephemeral environments are given: CI makes none itself.
    """

    TYPE = "trading:aws:CiIdentity"
    role: pulumi.Output[str]
    """The ARN of the role of CI."""
    keys: dict[str, pulumi.Output[str]]
    """By region, the ARN that ephemeral environments name under `aws.keys`."""

    def __init__(
        self, name: str, args: CiIdentityArgs, opts: pulumi.ResourceOptions | None = None
    ) -> None:
        """Declare issuer and roles."""
        super().__init__(name, args.design, args.regions, opts)
        ci, account = args.ci, args.design.account
        trusted: list[pulumi.Resource] = []
        if not ci.known_issuer:
            region = args.design.home.place.region
            trusted.append(
                aws.iam.OpenIdConnectProvider(
                    "ci-issuer",
                    url=f"https://{ci.issuer}",
                    client_id_lists=["sts.amazonaws.com"],
                    tags=self._tags("ci-issuer"),
                    opts=self.under("ci-issuer", region),
                )
            )
        self.role = self._role(
            "opsctl-ci",
            policies.ci_trust(account, ci),
            ci_policy(account, ci),
            trusted,
        ).arn
        allowed = policies.host_statements(account, f"{EPHEMERAL}*", (f"{EPHEMERAL}*",))
        hosts = self._role(
            policies.CI_HOSTS, policies.trust("ec2", account), policies.document(*allowed)
        )
        self._hosts_profile(hosts.name)
        self._role(
            policies.CI_FLOW_LOGS,
            policies.trust("vpc-flow-logs", account),
            policies.flow_logs(account, f"{EPHEMERAL}*"),
        )
        self.keys = {
            region: declare_key(
                self,
                args.design,
                region,
                policies.CI_KEY,
                f"ephemeral environments in {region}",
                begins="ci-",
            )
            for region in ci.regions
        }
        self.register_outputs({"role": self.role, "keys": self.keys})

    def _role(
        self, name: str, trust: str, policy: str, after: list[pulumi.Resource] | None = None
    ) -> aws.iam.Role:
        region = self._design.home.place.region
        role = aws.iam.Role(
            name,
            name=name,
            path=PATH,
            max_session_duration=3_600,
            assume_role_policy=trust,
            tags=self._tags(name),
            opts=self.under(name, region, depends_on=after or ()),
        )
        aws.iam.RolePolicy(
            f"{name}-policy",
            role=role.name,
            policy=policy,
            opts=self.under(f"{name}-policy", region),
        )
        return role

    def _hosts_profile(self, role: pulumi.Output[str]) -> None:
        name, region = policies.CI_HOSTS, self._design.home.place.region
        aws.iam.RolePolicyAttachment(
            f"{name}-session-manager",
            role=role,
            policy_arn=policies.SESSION_MANAGER,
            opts=self.under(f"{name}-session-manager", region),
        )
        aws.iam.InstanceProfile(
            f"{name}-profile",
            name=name,
            path=PATH,
            role=role,
            tags=self._tags(f"{name}-profile"),
            opts=self.under(f"{name}-profile", region),
        )
