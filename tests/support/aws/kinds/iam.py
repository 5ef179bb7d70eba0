"""Identities: roles, their policies, instance profiles, the identity provider of a CI."""

from __future__ import annotations

import json
from typing import Any
from urllib.parse import unquote

from tests.support.aws import checks
from tests.support.aws.checks import Failures
from tests.support.aws.cloud import Gone
from tests.support.aws.kind import Kind, call, changed, serves, tag_list, tag_map
from tests.support.aws.wire import Properties

NAME = r"[\w+=,.@-]{1,%d}"


def _name(value: str | None, longest: int) -> Failures:
    if value is not None:
        yield from checks.matches(
            "name", value, NAME % longest, f"1 to {longest} letters, digits, and +=,.@-_"
        )


def _document(value: Any) -> str:
    """Return a policy as text; boto3 may have read it."""
    return unquote(value) if isinstance(value, str) else json.dumps(value)


@serves("aws:iam/role:Role")
class Role(Kind):
    """A role and who may take it."""

    everywhere = True
    served = (
        *("name", "assumeRolePolicy", "description", "maxSessionDuration", "path"),
        *("permissionsBoundary",),
    )
    replaces = ("name", "path")
    named = "name"
    chosen = ("managedPolicyArns", "inlinePolicies")
    defaults = {"maxSessionDuration": 3600, "path": "/"}
    guides = ("forceDetachPolicies",)

    def check(self, inputs: Properties) -> Failures:
        """Its name, and the document that says who may take it."""
        yield from _name(inputs.get("name"), 64)
        yield from checks.policy("assumeRolePolicy", inputs.get("assumeRolePolicy"), True)
        yield from checks.between(
            "maxSessionDuration", inputs.get("maxSessionDuration"), 3600, 43200
        )
        if len(inputs.get("description", "")) > 1000:
            yield "description", "expected length of description to be in the range (0 - 1000)"

    def create(self, inputs: Properties) -> str:
        made = self.cloud("iam").create_role(
            **call(
                *(inputs, "description", "maxSessionDuration", "path", "permissionsBoundary"),
                name="RoleName",
                assumeRolePolicy="AssumeRolePolicyDocument",
            )
        )
        return str(made["Role"]["RoleName"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        if not old:
            return
        iam = self.cloud("iam")
        for name in changed(old, new, "assumeRolePolicy"):
            iam.update_assume_role_policy(RoleName=id_, PolicyDocument=new[name])
        if list(changed(old, new, "description", "maxSessionDuration")):
            iam.update_role(
                RoleName=id_,
                Description=new.get("description", ""),
                MaxSessionDuration=new["maxSessionDuration"],
            )
        for name in changed(old, new, "permissionsBoundary"):
            if new.get(name):
                iam.put_role_permissions_boundary(RoleName=id_, PermissionsBoundary=new[name])
            else:
                iam.delete_role_permissions_boundary(RoleName=id_)

    def read(self, id_: str) -> Properties:
        role = self.cloud("iam").get_role(RoleName=id_)["Role"]
        return {
            "arn": role["Arn"],
            "uniqueId": role["RoleId"],
            "createDate": role["CreateDate"].isoformat(),
            "name": id_,
            "path": role["Path"],
            "description": role.get("Description") or None,
            "maxSessionDuration": role["MaxSessionDuration"],
            "assumeRolePolicy": _document(role["AssumeRolePolicyDocument"]),
            "permissionsBoundary": role.get("PermissionsBoundary", {}).get(
                "PermissionsBoundaryArn"
            ),
            "tagsAll": tag_map(role.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("iam").delete_role(RoleName=id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        if gone:
            self.cloud("iam").untag_role(RoleName=id_, TagKeys=gone)
        if tags:
            self.cloud("iam").tag_role(RoleName=id_, Tags=tag_list(tags))


@serves("aws:iam/rolePolicy:RolePolicy")
class RolePolicy(Kind):
    """A policy that is written in a role."""

    everywhere = True
    served = ("name", "role", "policy")
    replaces = ("name", "role")
    named = "name"
    refers = {"role": "role"}

    def check(self, inputs: Properties) -> Failures:
        """Its name, and what it allows."""
        yield from _name(inputs.get("name"), 128)
        yield from checks.policy("policy", inputs.get("policy"), False)

    def create(self, inputs: Properties) -> str:
        return f"{inputs['role']}:{inputs['name']}"

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        role, _, name = id_.partition(":")
        if list(changed(old, new, "policy")):
            self.cloud("iam").put_role_policy(
                RoleName=role, PolicyName=name, PolicyDocument=new["policy"]
            )

    def read(self, id_: str) -> Properties:
        role, _, name = id_.partition(":")
        found = self.cloud("iam").get_role_policy(RoleName=role, PolicyName=name)
        return {"name": name, "role": role, "policy": _document(found["PolicyDocument"])}

    def delete(self, id_: str, inputs: Properties) -> None:
        role, _, name = id_.partition(":")
        self.cloud("iam").delete_role_policy(RoleName=role, PolicyName=name)


@serves("aws:iam/rolePolicyAttachment:RolePolicyAttachment")
class RolePolicyAttachment(Kind):
    """A policy of its own that a role has."""

    everywhere = True
    served = ("role", "policyArn")
    replaces = served
    refers = {"role": "role"}

    def check(self, inputs: Properties) -> Failures:
        """The policy is named by its ARN."""
        if "policyArn" in inputs:
            yield from checks.matches("policyArn", inputs["policyArn"], checks.ARN, "no ARN")

    def create(self, inputs: Properties) -> str:
        self.cloud("iam").attach_role_policy(RoleName=inputs["role"], PolicyArn=inputs["policyArn"])
        return f"{inputs['role']}/{inputs['policyArn']}"

    def read(self, id_: str) -> Properties:
        role, _, policy = id_.partition("/")
        found = self.cloud("iam").list_attached_role_policies(RoleName=role)["AttachedPolicies"]
        if policy not in [one["PolicyArn"] for one in found]:
            raise Gone(id_)
        return {"role": role, "policyArn": policy}

    def delete(self, id_: str, inputs: Properties) -> None:
        role, _, policy = id_.partition("/")
        self.cloud("iam").detach_role_policy(RoleName=role, PolicyArn=policy)


@serves("aws:iam/instanceProfile:InstanceProfile")
class InstanceProfile(Kind):
    """What gives a machine a role."""

    everywhere = True
    served = ("name", "path", "role")
    replaces = ("name", "path")
    named = "name"
    defaults = {"path": "/"}
    refers = {"role": "role"}

    def check(self, inputs: Properties) -> Failures:
        """Its name."""
        yield from _name(inputs.get("name"), 128)

    def create(self, inputs: Properties) -> str:
        made = self.cloud("iam").create_instance_profile(
            **call(inputs, "path", name="InstanceProfileName")
        )
        return str(made["InstanceProfile"]["InstanceProfileName"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        iam = self.cloud("iam")
        for name in changed(old, new, "role"):
            if old.get(name):
                iam.remove_role_from_instance_profile(InstanceProfileName=id_, RoleName=old[name])
            if new.get(name):
                iam.add_role_to_instance_profile(InstanceProfileName=id_, RoleName=new[name])

    def read(self, id_: str) -> Properties:
        found = self.cloud("iam").get_instance_profile(InstanceProfileName=id_)
        profile = found["InstanceProfile"]
        return {
            "arn": profile["Arn"],
            "uniqueId": profile["InstanceProfileId"],
            "createDate": profile["CreateDate"].isoformat(),
            "name": id_,
            "path": profile["Path"],
            "role": next((one["RoleName"] for one in profile["Roles"]), None),
            "tagsAll": tag_map(profile.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        if role := self.read(id_)["role"]:
            self.cloud("iam").remove_role_from_instance_profile(
                InstanceProfileName=id_, RoleName=role
            )
        self.cloud("iam").delete_instance_profile(InstanceProfileName=id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        iam = self.cloud("iam")
        if gone:
            iam.untag_instance_profile(InstanceProfileName=id_, TagKeys=gone)
        if tags:
            iam.tag_instance_profile(InstanceProfileName=id_, Tags=tag_list(tags))


@serves("aws:iam/openIdConnectProvider:OpenIdConnectProvider")
class OpenIdConnectProvider(Kind):
    """Who signs the identities that a firm's CI comes with."""

    everywhere = True
    served = ("url", "clientIdLists", "thumbprintLists")
    replaces = ("url", "clientIdLists")
    replaced_first = True
    chosen = ("thumbprintLists",)

    def check(self, inputs: Properties) -> Failures:
        """An address by HTTPS, and SHA-1 thumbprints."""
        url = inputs.get("url", "https://")
        if not url.startswith("https://"):
            yield "url", f"expected url to have a url with schema of: 'https', got {url}"
        for at, one in enumerate(inputs.get("thumbprintLists") or []):
            yield from checks.matches(
                f"thumbprintLists[{at}]", one, r"[0-9a-fA-F]{40}", "40 hexadecimal digits"
            )

    def create(self, inputs: Properties) -> str:
        made = self.cloud("iam").create_open_id_connect_provider(
            **call(inputs, "url", clientIdLists="ClientIDList", thumbprintLists="ThumbprintList")
        )
        return str(made["OpenIDConnectProviderArn"])

    def configure(self, id_: str, old: Properties, new: Properties) -> None:
        for name in changed(old, new, "thumbprintLists") if old else ():
            self.cloud("iam").update_open_id_connect_provider_thumbprint(
                OpenIDConnectProviderArn=id_, ThumbprintList=new.get(name) or []
            )

    def read(self, id_: str) -> Properties:
        found = self.cloud("iam").get_open_id_connect_provider(OpenIDConnectProviderArn=id_)
        return {
            "arn": id_,
            "url": f"https://{found['Url'].removeprefix('https://')}",
            "clientIdLists": found["ClientIDList"],
            "thumbprintLists": found["ThumbprintList"],
            "tagsAll": tag_map(found.get("Tags")),
        }

    def delete(self, id_: str, inputs: Properties) -> None:
        self.cloud("iam").delete_open_id_connect_provider(OpenIDConnectProviderArn=id_)

    def retag(self, id_: str, gone: list[str], tags: dict[str, str]) -> None:
        iam = self.cloud("iam")
        if gone:
            iam.untag_open_id_connect_provider(OpenIDConnectProviderArn=id_, TagKeys=gone)
        if tags:
            iam.tag_open_id_connect_provider(OpenIDConnectProviderArn=id_, Tags=tag_list(tags))
