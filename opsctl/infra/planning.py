"""What a deploy would change of an environment's infrastructure, and what the guardrails say."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from opsctl.deploy.rollout import Planned as ServicesPlanned
from opsctl.infra import guardrails, open_engine, program
from opsctl.infra.guardrails import Judged
from opsctl.infra.prechecks import Precheck
from opsctl.infra.previewed import Action, Property, Resource
from opsctl.model.environment import Environment
from opsctl.model.value import Value

LONGEST = 60


class Change(Value):
    """A resource that would be changed."""

    action: Action
    kind: str
    """Its type, as Pulumi names it: `aws:ec2/vpc:Vpc`."""
    name: str
    reason: str
    properties: tuple[Property, ...] = ()


class Planned(Value):
    """The result of `opsctl plan` for an environment that declares infrastructure."""

    environment: str
    changes: tuple[Change, ...]
    unchanged: int
    unmet: tuple[str, ...]
    """Why a tier is not met by what is declared."""
    guardrails: Judged
    prechecks: tuple[Precheck, ...] = ()
    """What the account does not allow of it, or of which that is not known."""
    services: ServicesPlanned | None = None
    """What would be changed of the services; null where that is not known."""
    services_unknown: str = ""
    """Why it is not; empty where it is."""

    @property
    def empty(self) -> bool:
        """Whether nothing would be changed."""
        return not self.changes


def plan(
    environment: Environment,
    say: Callable[[str], None],
    replace_data: Sequence[str] = (),
    max_deletions: int | None = None,
) -> Planned:
    """Preview the stack of an environment and judge it; changes nothing.

    `replace_data` names resources that hold data and may be replaced or deleted,
    `max_deletions` says how many may in all; None: as many as the guardrail allows.

    Raises:
        UsageError: what its file asks for cannot be, or a waiver of it cannot stand.
        OpsctlError: the account cannot be asked, or the engine failed.
    """
    declared = program(environment)
    # Refuses what cannot be, before the engine is started.
    facts = declared.allowing(replace_data, max_deletions)
    engine = open_engine(declared, say)
    with engine.letting_go(replace_data):
        seen = engine.preview(declared.program, refresh=declared.looks)
    return Planned(
        environment=environment.name,
        changes=tuple(map(change, seen.changes)),
        unchanged=sum(one.custom for one in seen.resources) - len(seen.changes),
        unmet=declared.unmet(),
        guardrails=guardrails.judge(seen, facts, declared.waivers),
        prechecks=declared.prechecks(seen),
    )


def change(one: Resource) -> Change:
    """Return what happens to a resource, with the reason."""
    return Change(
        action=one.action,
        kind=one.type,
        name=one.name,
        reason=reason(one),
        properties=one.properties,
    )


def reason(one: Resource) -> str:
    """Return why a resource would be changed, in a line."""
    match one.action:
        case Action.CREATE:
            return "is declared, and is not there"
        case Action.DELETE:
            return "is there, and is not declared any more"
        case Action.REPLACE:
            forced = [each for each in one.properties if each.replaces] or one.properties
            said = ", ".join(map(_differs, forced))
            return f"cannot be changed where it is: {said}" if said else "is replaced"
        case _:
            return ", ".join(map(_differs, one.properties)) or "differs"


def drifted(one: Resource) -> str:
    """Return how a resource is not as it was declared, in a line."""
    if one.action is Action.DELETE:
        return "is gone"
    return ", ".join(
        f"{each.path}: declared {_brief(each.old)}, is {_brief(each.new)}"
        for each in one.properties
    )


def _differs(one: Property) -> str:
    return f"{one.path}: {_brief(one.old)} -> {_brief(one.new)}"


def _brief(value: object) -> str:
    text = "none" if value is None else str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}..."
