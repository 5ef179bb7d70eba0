"""Rules on rights: who may do what, and who may take whose place."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from opsctl.infra.guardrails import sources
from opsctl.infra.guardrails.policies import Statement, statements
from opsctl.infra.guardrails.reading import (
    KEY,
    ROLE,
    SECRET_STORE,
    TOPIC,
    at,
    each,
    kept,
    unknown,
)
from opsctl.infra.guardrails.rule import Facts, Rule, Severity, Wrong
from opsctl.infra.previewed import Preview, Resource

_ROLE_POLICY = "aws:iam/rolePolicy:RolePolicy"
_POLICY = "aws:iam/policy:Policy"
_ATTACHMENT = "aws:iam/rolePolicyAttachment:RolePolicyAttachment"
_BUCKET_POLICY = "aws:s3/bucketPolicy:BucketPolicy"
_MANAGED_ADMIN = ("AdministratorAccess", "PowerUserAccess", "IAMFullAccess")
_WEB_IDENTITY = "sts:assumerolewithwebidentity"


def _granted(preview: Preview) -> Iterator[tuple[Resource, tuple[Statement, ...] | None]]:
    """Yield every policy that gives rights to a role, and what it says."""
    for one in kept(preview, _ROLE_POLICY, _POLICY):
        yield one, statements(at(one.inputs, "policy"))
    for one in kept(preview, ROLE):
        inline = each(one.inputs, "inlinePolicies")
        for policy in [None] if inline is None else inline:
            yield one, None if policy is None else statements(at(policy, "policy"))


def _unread(one: Resource) -> Wrong:
    return Wrong(one, "what it allows is known only after", unknown=True)


def _everything(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one, found in _granted(preview):
        if found is None:
            yield _unread(one)
        for statement in found or ():
            if statement.allows and {"*", "*:*"} & set(statement.actions):
                yield Wrong(one, "allows every action (`*`)")
            elif statement.allows and statement.but_actions and statement.everything:
                yield Wrong(one, "allows every action but some (`NotAction`) on everything")
    for one, arn in _attached(preview):
        # A policy of this stack is judged where it is declared: its ARN need not be known.
        if str(arn).rpartition("/")[2] in _MANAGED_ADMIN:
            yield Wrong(one, f"attaches {arn}")


def _attached(preview: Preview) -> Iterator[tuple[Resource, Any]]:
    for one in kept(preview, _ATTACHMENT):
        yield one, at(one.inputs, "policyArn")
    for one in kept(preview, ROLE):
        for arn in each(one.inputs, "managedPolicyArns") or []:
            yield one, arn


def _pass_role(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one, found in _granted(preview):
        if found is None:
            yield _unread(one)
        for statement in found or ():
            wide = statement.everything or any(
                name.endswith((":role/*", ":iam::*", ":*")) for name in statement.resources
            )
            if statement.allows and statement.covers("iam:passrole") and wide:
                yield Wrong(one, "allows `iam:PassRole` for every role")


def _trust(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, ROLE):
        found = statements(at(one.inputs, "assumeRolePolicy"))
        if found is None:
            yield Wrong(one, "who may take its place is known only after", unknown=True)
        for statement in found or ():
            if not statement.allows:
                continue
            if statement.anybody:
                yield Wrong(one, "anybody may take its place")
            elif statement.covers(_WEB_IDENTITY) and statement.federated:
                yield from _subject(one, statement)


def _subject(one: Resource, statement: Statement) -> Iterator[Wrong]:
    """Yield that tokens of other repositories of the same issuer would do as well."""
    subjects = [
        subject
        for compared in statement.condition.values()
        for key, value in compared.items()
        if key.endswith(":sub")
        for subject in _words(value)
    ]
    if not subjects:
        yield Wrong(one, "any token of its identity provider may take its place: no `:sub`")
    for subject in subjects:
        if unknown(subject):
            yield Wrong(one, "whose token may take its place is known only after", unknown=True)
        elif subject.split("/")[0].endswith("*"):
            yield Wrong(one, f"tokens of anybody's repository may take its place: {subject}")


def _words(value: Any) -> list[str]:
    return [str(one) for one in (value if isinstance(value, list) else [value])]


def _public(preview: Preview, _: Facts) -> Iterator[Wrong]:
    for one in kept(preview, _BUCKET_POLICY, TOPIC, KEY, SECRET_STORE):
        found = statements(at(one.inputs, "policy"))
        if found is None:
            yield Wrong(one, "whom its policy lets in is known only after", unknown=True)
        for statement in found or ():
            if statement.allows and statement.anybody and not statement.condition:
                yield Wrong(one, "its policy lets anybody in")


RULES = (
    Rule(
        "AWS-IAM-001",
        "No policy allows everything",
        Severity.REFUSE,
        "Whoever takes a host with such a role owns the account.",
        sources.LEAST_PRIVILEGE,
        "Name the actions that are needed, and the resources that they are needed on.",
        _everything,
    ),
    Rule(
        "AWS-IAM-002",
        "No policy allows `iam:PassRole` for every role",
        Severity.REFUSE,
        "Who may pass any role to a host of theirs has the rights of all of them.",
        sources.LEAST_PRIVILEGE,
        "Name the roles that may be passed.",
        _pass_role,
    ),
    Rule(
        "AWS-IAM-003",
        "Roles are taken only by whom they are for",
        Severity.REFUSE,
        "An identity provider of a CI signs tokens for everybody's repositories.",
        sources.PUBLIC_ACCESS,
        "Name the principal; of a web identity, compare its `sub` with your repository.",
        _trust,
    ),
    Rule(
        "AWS-IAM-004",
        "Policies of resources let nobody in unconditionally",
        Severity.REFUSE,
        "A bucket, topic, key or secret is then anybody's who knows its name.",
        sources.PUBLIC_ACCESS,
        "Name the accounts or roles, or add a condition that binds it to them.",
        _public,
    ),
)
